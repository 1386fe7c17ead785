create or replace function imago.run_lock_key(run_id bigint)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select pg_catalog.hashtextextended('imago run ' || run_id, 0)
$$;
comment on function imago.run_lock_key(bigint) is 'Key of the advisory lock that stands before a run''s row. Batches take it shared, transitions exclusive, first come, first served.';
