create or replace function imago.has_sides(write imago.plan_write)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    -- The index on rows that have some is one block long as long as there is none: no query has to look.
    select coalesce(pg_catalog.pg_relation_size(pg_catalog.to_regclass('imago_undo.' || quote_ident(left(write.undo_table, 50) || '_side_idx')))
      > pg_catalog.current_setting('block_size')::bigint, false));
end
$$;
comment on function imago.has_sides(imago.plan_write) is 'Whether there may be journaled changes beside what a write declares.';
