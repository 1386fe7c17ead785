create or replace function imago.lock_entities(plan imago.plan, keys anyarray, skip_locked boolean default false, alone boolean default false)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  result text[];
begin
  execute format(
    'select coalesce(array_agg(k::text), ''{}'') from (
       select %1$I as k from %2$s where %1$I = any %3$s order by %1$I for %4$s %5$s) locked',
    plan.key_column, plan.source, imago.keys_sql(plan),
    case when alone then 'update' else 'no key update' end, case when skip_locked then 'skip locked' else '' end)
  into result using keys;
  return result;
end
$$;
comment on function imago.lock_entities(imago.plan, anyarray, boolean, boolean) is 'The entity lock: locks the entities in key order and returns the keys of those that exist. With skip_locked, of those that are free. Alone, it waits for transactions that refer to an entity, too: syncs that may have read what is to go.';
