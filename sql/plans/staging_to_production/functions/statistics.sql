create or replace function staging_to_production.statistics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  images bigint := 0;
  reference record;
  amount bigint;
  nowhere jsonb := '{}';
begin
  if pg_catalog.to_regclass('public."Image"') is not null then
    select count(*) into images from public."Image";
  end if;
  for reference in select r.* from staging_to_production.booking_references() r
                   where staging_to_production.has_column('public."Booking"', r.name) loop
    execute format('select count(*) from (%s) d', staging_to_production.dangling_query(reference.name, reference.target)) into amount;
    nowhere := nowhere || jsonb_build_object(reference.name, amount);
  end loop;
  return jsonb_build_object(
    'images', images, 'bookings_pointing_nowhere', nowhere,
    'booking_statuses', (
      select coalesce(jsonb_agg(jsonb_build_object('value', v.value, 'becomes', v.becomes, 'bookings', v.bookings)), '[]')
      from staging_to_production.status_values() v));
end
$$;
comment on function staging_to_production.statistics() is 'What get_migration_statistics adds for this plan: images, bookings that point nowhere, and bookings by status. Bookings that point nowhere are counted by reference, those by status for each value.';
