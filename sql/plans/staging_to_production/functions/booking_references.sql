create or replace function staging_to_production.booking_references()
returns table (name text, target text)
language sql
immutable
set search_path = ''
as $$
  values ('customerId', 'Customer'), ('serviceId', 'ServiceToJobType'), ('technicianId', 'Technician')
$$;
comment on function staging_to_production.booking_references() is 'The columns of "Booking" that are to refer to new tables.';
