create or replace function staging_to_production.new_types()
returns table (name text, labels text[])
language sql
immutable
set search_path = ''
as $$
  values
    ('TechnicianStatus', array['ON_JOB', 'ON_ROUTE', 'FINISHED_JOB', 'AWAITING_JOB']),
    ('CustomerType', array['RESIDENTIAL', 'COMMERCIAL']),
    ('BookingStatus', array['PENDING', 'SCHEDULED', 'CANCELED', 'COMPLETED'])
$$;
comment on function staging_to_production.new_types() is 'The enums that staging has and production has not.';
