create or replace function imago.run_lock_key(run_id bigint)
returns bigint
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return pg_catalog.hashtextextended('imago run ' || run_id, 0);
end
$$;
comment on function imago.run_lock_key(bigint) is 'Key of the advisory lock that stands before a run''s row. Batches take it shared, transitions exclusive, first come, first served.';
