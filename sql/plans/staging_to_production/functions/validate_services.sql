create or replace function staging_to_production.validate_services()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."Booking"', 'Booking_serviceId_fkey')
$$;
comment on function staging_to_production.validate_services() is 'Direct finalize step: the foreign key of "Booking"."serviceId" is valid.';
