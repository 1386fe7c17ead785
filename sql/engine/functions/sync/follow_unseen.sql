create or replace function imago.follow_unseen(plan_name text, written oid, moves jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  relation constant text := imago.name_of(coalesce(pg_catalog.pg_partition_root(written), written));
begin
  perform imago.follow_moves(plan_name, relation, imago.find_identity(plan_name, relation), moves);
end
$$;
comment on function imago.follow_unseen(text, oid, jsonb) is 'The journal follows what the app has moved.';
