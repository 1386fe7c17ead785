create or replace function imago.record_conflicts(run imago.run, conflicts jsonb, stage integer)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  entities text[];
  known text[];
begin
  select array_agg(distinct c ->> 'entity') into entities from jsonb_array_elements(conflicts) c;
  -- What people read.
  select jsonb_agg(c || jsonb_build_object('reason', concat_ws(' ', c ->> 'reason_kind', 'by ' || (c ->> 'referenced_by')))) into conflicts
  from jsonb_array_elements(conflicts) c;
  with forgotten as (
    delete from imago.failure f where f.plan = run.plan and f.kind = 'conflict' and f.stage = record_conflicts.stage and f.entity = any (entities)
    returning f.run, f.entity
  )
  select coalesce(array_agg(distinct o.entity), '{}') into known from forgotten o where o.run = record_conflicts.run.id;
  insert into imago.failure (plan, run, stage, entity, kind, direction, table_name, row_key, reason_kind, referenced_by, reason)
  select run.plan, run.id, record_conflicts.stage, c ->> 'entity', 'conflict', 'rollback', c ->> 'relation', c ->> 'row_key',
    c ->> 'reason_kind', c ->> 'referenced_by', c ->> 'reason'
  from jsonb_array_elements(conflicts) c;
  insert into imago.log (plan, run, level, event, entity, detail)
  select run.plan, run.id, 'warning', 'conflict', c ->> 'entity', c - '{entity,reason_kind,referenced_by}'::text[] || imago.stage_label(record_conflicts.stage)
  from jsonb_array_elements(conflicts) c
  where c ->> 'entity' <> all (known);
  return array(select e from unnest(entities) e where e <> all (known));
end
$$;
comment on function imago.record_conflicts(imago.run, jsonb, integer) is 'Writes conflicts down (keys and reasons) and returns the entities that this run had not reported before.';
