create or replace function staging_to_production.check_query(name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case check_query.name
    when 'images_that_differ' then case when pg_catalog.to_regclass('staging_to_production.pending') is not null then
      'select p.entity as key, p.entity from staging_to_production.pending p' end
    when 'bookings_that_differ' then case when pg_catalog.to_regclass('staging_to_production.pending_2') is not null then
      'select p.entity as key, p.entity from staging_to_production.pending_2 p' end
    when 'users_of_unknown_images' then
      case when pg_catalog.to_regclass('public."Image"') is not null and staging_to_production.has_column('public."User"', 'imageId') then
        'select u.id as key, null::text as entity from public."User" u
         where u."imageId" is not null and not exists (select from public."Image" i where i.id = u."imageId")' end
    else (
      select format('select d.id as key, d.id as entity from (%s) d', staging_to_production.dangling_query(r.name, r.target))
      from staging_to_production.booking_references() r
      where check_query.name = 'bookings_without_' || left(r.name, -2) and pg_catalog.to_regclass(format('public.%I', r.target)) is not null)
  end;
end
$$;
comment on function staging_to_production.check_query(text) is 'SQL that lists what a check of this plan finds: key and entity. Null before the plan is prepared, and for what finalize has made one.';
