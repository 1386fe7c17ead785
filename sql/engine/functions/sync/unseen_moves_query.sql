create or replace function imago.unseen_moves_query(plan_name text, written oid)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  table_name constant text := imago.name_of(coalesce(pg_catalog.pg_partition_root(written), written));
  identity constant imago.identity := imago.find_identity(plan_name, table_name);
begin
  if identity.columns = '{}' or exists (
    select
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where g.tgrelid = written and g.tgenabled in ('O', 'A') and p.pronamespace = 'imago_undo'::pg_catalog.regnamespace
      and p.proname in (
        select w.undo_table || '_update' from unnest(identity.writes) w where w.relation = table_name
        union all
        select imago.walk_function(plan_name, k.stage) from unnest(identity.walks) k)
  ) then
    return null;
  end if;
  return imago.moves_query(identity.columns, 'imago_old', 'imago_new');
end
$$;
comment on function imago.unseen_moves_query(text, oid) is 'SQL: what a statement has moved; null where a trigger follows.';
