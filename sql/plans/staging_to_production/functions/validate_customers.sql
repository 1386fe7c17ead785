create or replace function staging_to_production.validate_customers()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."Booking"', 'Booking_customerId_fkey')
$$;
comment on function staging_to_production.validate_customers() is 'Direct finalize step: the foreign key of "Booking"."customerId" is valid.';
