create or replace function staging_to_production.validate_technicians()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public."Booking"', 'Booking_technicianId_fkey')
$$;
comment on function staging_to_production.validate_technicians() is 'Direct finalize step: the foreign key of "Booking"."technicianId" is valid.';
