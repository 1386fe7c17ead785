create or replace function imago.unreachable_keys(plan imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  absent text[];
begin
  execute format(
    'select coalesce(array_agg(k.key), ''{}'') from unnest($1) k(key)
     where not exists (select from %s s where s.%I = k.key::%s)',
    plan.source, plan.key_column, plan.key_type)
  into absent using keys;
  -- A later statement: an entity that the app has just deleted is not pending any more either.
  return case when absent = '{}' then absent else imago.pending_or_unknown(plan, absent) end;
end
$$;
comment on function imago.unreachable_keys(imago.plan, text[]) is 'Those of the keys that the view pending lists, or cannot be asked for, and the source does not have.';
