create or replace function staging_to_production.preflight()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  texts constant text[] := '{text,"character varying"}';
  lost bigint;
  finalized boolean := imago.is_finalized('staging_to_production');
begin
  return query select * from imago.relation_problems('public."User"');
  return query select p.* from unnest(array['public."User"', 'public."Booking"', 'public."UserImage"']) t
    cross join lateral imago.partition_problems(t, 'Indexes are built concurrently here and foreign keys added not valid, neither of which a partitioned table can have.') p;
  return query
    select c.*
    from (values ('public."UserImage"', 'url'), ('public."UserImage"', 'publicId'), ('public."User"', 'id'),
                 ('public."Booking"', 'customerId'), ('public."Booking"', 'serviceId'), ('public."Booking"', 'technicianId')) v(relation, name)
    cross join lateral imago.column_problems(v.relation, v.name, texts) c;
  return query select * from imago.column_problems('public."UserImage"', 'uploadedAt', '{"timestamp without time zone"}');
  return query select * from imago.column_problems('public."Booking"', 'scheduledFor', '{"timestamp without time zone"}');
  if not finalized then
    return query select * from imago.column_problems('public."Booking"', 'status', texts);
  end if;
  if staging_to_production.has_column('public."User"', 'imageId') then
    return query select * from imago.column_problems('public."User"', 'imageId', texts);
  end if;
  if pg_catalog.to_regtype('public."Role"') is null and not finalized then
    return query select 'error', 'missing_type', 'type public."Role"', 'is missing', 'The plan renames it to "UserRole".';
  end if;
  if pg_catalog.to_regtype('public."UserRole"') is not null and not finalized then
    return query select 'error', 'taken_name', 'type public."UserRole"', 'is there already', 'The plan renames "Role" to it. Drop or rename the one that is not used.';
  end if;
  -- Tables of these names that the app has made itself have to fit what is written to them.
  return query
    select c.*
    from (values ('Image', 'id'), ('Image', 'url'), ('Image', 'publicId'), ('Customer', 'id'), ('Customer', 'name'), ('Customer', 'phoneNumberId'),
                 ('PhoneNumber', 'id'), ('PhoneNumber', 'countryCode'), ('PhoneNumber', 'number'), ('Technician', 'id'), ('Technician', 'technicianName'),
                 ('ServiceToJobType', 'id'), ('ServiceToJobType', 'displayName')) v(name, column_name)
    cross join lateral imago.column_problems(format('public.%I', v.name), v.column_name, texts) c
    where pg_catalog.to_regclass(format('public.%I', v.name)) is not null;
  if not finalized then
    return query
      select v.* from staging_to_production.sources() s
      cross join lateral imago.visibility('staging_to_production', s.relation, s.source, s.link, s.origins) v
      where pg_catalog.to_regclass(s.source) is not null;
  end if;
  if pg_catalog.to_regclass('public."Booking"') is null or finalized
     or exists (select from imago.column_problems('public."Booking"', 'status', texts)) then
    return;
  end if;
  if not imago.is_large('public."Booking"') then
    select sum(v.bookings) into lost
    from staging_to_production.status_values() v where v.becomes = 'SCHEDULED' and upper(v.value) <> 'SCHEDULED';
    if lost > 0 then
      return query select 'warning', 'lost_values', 'public."Booking".status', format('%s bookings hold no known status and become SCHEDULED', lost),
        'select get_migration_statistics(''staging_to_production'') counts them value by value.';
    end if;
  end if;
  return query
    select l.* from staging_to_production.look_at_references() l
    where not exists (select from staging_to_production.booking_references() r
                      where not staging_to_production.has_column('public."Booking"', r.name));
end
$$;
comment on function staging_to_production.preflight() is 'What speaks against starting the plan on this app, statuses that will be lost, and references that point nowhere.';
