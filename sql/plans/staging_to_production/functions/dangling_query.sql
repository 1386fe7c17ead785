create or replace function staging_to_production.dangling_query(name text, target text)
returns text
language sql
stable
set search_path = ''
as $$
  select format('select b.id from public."Booking" b where b.%I is not null', name)
    || case when pg_catalog.to_regclass(format('public.%I', target)) is null then ''
      else format(' and not exists (select from public.%I t where t.id = b.%I)', target, name) end
$$;
comment on function staging_to_production.dangling_query(text, text) is 'SQL: the bookings whose reference points nowhere; as long as there is no such table, all that have one.';
