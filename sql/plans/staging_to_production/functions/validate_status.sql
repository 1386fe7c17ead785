create or replace function staging_to_production.validate_status()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."Booking"', 'Booking_status_set')
$$;
comment on function staging_to_production.validate_status() is 'Direct finalize step: every booking has a status.';
