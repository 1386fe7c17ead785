create or replace function imago.source_lock_key(relation text)
returns bigint
language sql
stable
set search_path = ''
as $$
  select pg_catalog.hashtextextended('imago source ' || pg_catalog.to_regclass(relation)::oid, 0)
$$;
comment on function imago.source_lock_key(text) is 'Key of the advisory lock that stands for all rows of a walked table which cannot be locked one by one.';
