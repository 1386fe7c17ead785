create or replace function imago.lock_entities(plan imago.plan, keys anyarray, skip_locked boolean default false, alone boolean default false)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  by_record constant boolean := cardinality(imago.key_names(plan.key_column)) > 1;
  listed constant text := imago.key_list(plan.key_column, 's');
  locking text := format('for %s of s %s', case when alone then 'update' else 'no key update' end, case when skip_locked then 'skip locked' end);
  result text[];
begin
  if imago.may_lock(plan.source) is false then
    locking := '';
    if not skip_locked then
      perform pg_catalog.pg_advisory_xact_lock(imago.source_lock_key(plan.source));
    elsif not pg_catalog.pg_try_advisory_xact_lock(imago.source_lock_key(plan.source)) then
      return '{}';
    end if;
  end if;
  execute format(
    'select coalesce(array_agg(locked.key::text), ''{}'') from (%s order by %s %s) locked',
    case when by_record then format('select k.key from %s k join %s s on %s', imago.records_sql(plan), plan.source, imago.same_key(plan, 's', 'k.record'))
      else format('select %1$s as key from %2$s s where %1$s = any %3$s', listed, plan.source, imago.keys_sql(plan)) end, listed, locking)
  into result using keys;
  return result;
end
$$;
comment on function imago.lock_entities(imago.plan, anyarray, boolean, boolean) is 'The entity lock: locks the entities in key order and returns the keys of those that exist. With skip_locked, of those that are free. Alone, it waits for transactions that refer to an entity, too: syncs that may have read what is to go. Of a table whose rows may not be locked all are, by one advisory lock.';
