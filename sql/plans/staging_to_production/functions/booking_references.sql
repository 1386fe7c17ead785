create or replace function staging_to_production.booking_references()
returns table (name text, target text, fix text)
language sql
immutable
set search_path = ''
as $$
  values ('customerId', 'Customer', 'fix_customers'), ('serviceId', 'ServiceToJobType', 'fix_services'),
    ('technicianId', 'Technician', 'fix_technicians')
$$;
comment on function staging_to_production.booking_references() is 'The columns of "Booking" that are to refer to new tables, and what makes the placeholders.';
