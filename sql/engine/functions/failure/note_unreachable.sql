create or replace function imago.note_unreachable(run imago.run, plan imago.plan, entities text[])
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  why constant text := case when entities[1] is null
    then 'the view pending lists rows whose entity is null'
    else format('the view pending lists it, and %s has no such key', plan.source) end;
  result bigint;
begin
  insert into imago.failure as f (plan, run, stage, entity, kind, direction, table_name, reason)
  select run.plan, run.id, plan.stage, e, 'unreachable', run.direction, plan.source_table, why
  from unnest(entities) e
  on conflict do nothing;
  get diagnostics result = row_count;
  if result > 0 then
    -- One line, however many they are.
    perform imago.write_log(run.plan, run.id, 'error', 'unreachable',
      jsonb_build_object('count', result, 'keys', to_jsonb(entities[1:10]), 'reason', why) || imago.stage_label(plan.stage),
      case when result = 1 then entities[1] end);
  end if;
  return result;
end
$$;
comment on function imago.note_unreachable(imago.run, imago.plan, text[]) is 'Records entities of a stage as unreachable and says how many of them are new.';
