create or replace function imago.record_conflicts(run imago.run, conflicts jsonb)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  entities text[];
begin
  select array_agg(distinct c ->> 'entity') into entities from jsonb_array_elements(conflicts) c;
  delete from imago.failure f where f.plan = run.plan and f.kind = 'conflict' and f.entity = any (entities);
  insert into imago.failure (plan, run, entity, kind, direction, table_name, row_key, reason)
  select run.plan, run.id, c ->> 'entity', 'conflict', 'rollback', c ->> 'relation', c ->> 'row_key', c ->> 'reason'
  from jsonb_array_elements(conflicts) c;
  insert into imago.log (plan, run, level, event, entity, detail)
  select run.plan, run.id, 'warning', 'conflict', c ->> 'entity', c - 'entity' from jsonb_array_elements(conflicts) c;
  return entities;
end
$$;
comment on function imago.record_conflicts(imago.run, jsonb) is 'Writes conflicts down (keys and reasons) and returns the entities that stay as they are.';
