create or replace function imago.unreachable_keys(plan imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  absent_sql constant text := format(
    'select coalesce(array_agg(k.key), ''{}'') from unnest($1) k(key)
     where not exists (select from %s s where %s)',
    plan.source, imago.same_key(plan, 's', 'k.key::' || plan.key_type));
  no_keys text[];
  absent text[];
begin
  begin
    execute absent_sql into absent using keys;
  exception when data_exception then
    -- The view lists what can be no key, such as a number that is too large for one.
    no_keys := array(select k from unnest(keys) k where not imago.is_key(plan, k));
    execute absent_sql into absent using array(select k from unnest(keys) k where k <> all (no_keys));
    absent := no_keys || absent;
  end;
  -- A later statement: an entity that the app has just deleted is not pending any more either.
  return case when absent = '{}' then absent else imago.pending_or_unknown(plan, absent) end;
end
$$;
comment on function imago.unreachable_keys(imago.plan, text[]) is 'Those of the keys that the view pending lists, or cannot be asked for, and the source does not have.';
