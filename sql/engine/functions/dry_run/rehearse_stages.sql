create or replace function imago.rehearse_stages(run imago.run, plan imago.plan, mode text, batch_size integer, ends_at timestamptz, enough bigint)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
  left_over integer := (select count(*) from imago.plan_stages(plan) s);
  -- Why the rehearsal, or the stage before, came to an end.
  reason text := 'complete';
  is_short boolean := false;
  step jsonb;
  aside record;
  answer jsonb;
  stages jsonb := '[]';
  sizes jsonb;
  written jsonb;
begin
  for staged in select s.* from imago.plan_stages(plan) s order by s.stage loop
    step := null;
    -- Time that a stage has not used goes to those behind it. Of a sample each has its turn, however long the others took.
    if imago.is_taken_later(staged) then
      -- It waits until a run takes all.
      reason := 'complete';
    elsif staged.external then
      reason := 'external';
    elsif answer is null or reason in ('complete', 'time', 'locked', 'external') and (mode = 'sample' or clock_timestamp() < ends_at) then
      -- A stage without lanes has not begun: remaining entities of those that were cut short are not looked for.
      delete from imago.lane l where l.run = rehearse_stages.run.id and l.stage <> staged.stage and not l.done;
      if not exists (select from imago.lane l where l.run = rehearse_stages.run.id and l.stage = staged.stage) then
        perform imago.cut_lanes(run, staged);
      end if;
      update imago.lane l set batch_size = 10, look_timed_out = imago.plan_bytes(staged) > 64 * 1024 * 1024
      where l.run = rehearse_stages.run.id and l.stage = staged.stage;
      select jsonb_object_agg(s.relation, s.bytes) into sizes from imago.relation_sizes(plan) s;
      written := imago.table_counters();
      perform set_config('imago.fires_' || w.id, '', true) from imago.plan_write w where w.plan = plan.name;
      step := imago.rehearse_stage(run.id, staged.stage, batch_size,
        case mode when 'full' then ends_at else clock_timestamp() + (ends_at - clock_timestamp()) / left_over end, enough);
      written := imago.add_counts(imago.table_counters(), written, -1);
      reason := step ->> 'reason';
      answer := case when answer is null then step -> 'answer' else imago.add_answers(answer, step -> 'answer') end;
    elsif reason in ('complete', 'locked', 'external') then
      reason := 'time';
    end if;
    select count(*) filter (where f.kind <> 'deferred') as failed, count(*) filter (where f.kind = 'deferred') as locked into aside
    from imago.failure f where f.run = rehearse_stages.run.id and f.stage = staged.stage;
    stages := stages || jsonb_build_object(
      'stage', staged.stage, 'reason', reason, 'moved', coalesce((step #>> '{answer,migrated}')::bigint, 0),
      'failed', case when is_short then 0 else aside.failed end, 'unsure', case when is_short then aside.failed else 0 end,
      'locked', aside.locked, 'ms', coalesce((step #>> '{answer,duration_ms}')::numeric, 0), 'rows', coalesce(step #> '{answer,rows}', '{}'),
      'cost', nullif(step -> 'cost', 'null') || imago.entity_growth(plan, sizes, written, (step #>> '{answer,migrated}')::bigint),
      'triggers', case when step is null then '[]' else imago.fired_triggers(plan.name, written) end);
    if reason <> 'complete' and not is_short then
      is_short := true;
      -- Those who need what this stage has not moved fail now, whatever is wrong with them.
      update imago.run r set max_failures = '999999999' where r.id = rehearse_stages.run.id;
    end if;
    left_over := left_over - 1;
  end loop;
  return jsonb_build_object('answer', coalesce(answer, imago.work_answer(run.id, 'working', '{}', '{}', clock_timestamp())), 'stages', stages);
end
$$;
comment on function imago.rehearse_stages(imago.run, imago.plan, text, integer, timestamptz, bigint) is 'Works on the stages of a rehearsal, each for its share of the time. Says of each what it came to and, added up, what migrate_batch would answer.';
