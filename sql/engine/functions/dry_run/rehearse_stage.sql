create or replace function imago.rehearse_stage(run_id bigint, stage integer, batch_size integer, ends_at timestamptz, enough bigint)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  step jsonb;
  called record;
  costs imago.cost[] := '{}';
  answer jsonb;
  reason text;
  size integer := 10;
  -- Between two looks whether somebody waits. Where a few are enough, the first calls only find a size for the next ones.
  call_ms integer := case when enough is null then 200 else 25 end;
begin
  loop
    select * into called from imago.measured_call(run_id, call_ms, least(size, batch_size));
    step := called.answer;
    costs := imago.add_cost(costs, called.cost);
    answer := case when answer is null then step else imago.add_answers(answer, step) end;
    -- The timer is not armed again: without this the rest would run on past the caller's timeout.
    if imago.timed_out() then
      perform imago.raise_error('IM018');
    end if;
    reason := case
      when step ->> 'status' = 'done'
        or exists (select from imago.lane l where l.run = run_id and l.stage <> rehearse_stage.stage and not l.done) then 'complete'
      when step #>> '{error,code}' = 'IM020' then 'failures'
      when step ->> 'status' = 'busy' then 'locked'
      when step ->> 'status' = 'waiting' then 'held'
      when step ->> 'status' not in ('working', 'deferred') then 'error'
      when imago.is_waited_for(imago.setting_number('dry_run_wait_ms')) then 'waiters'
      when clock_timestamp() >= ends_at or (costs[cardinality(costs)]).moved >= enough then case step ->> 'status' when 'deferred' then 'locked' else 'time' end
    end;
    exit when reason is not null;
    -- What has failed and is not resolved yet goes on in the halves that it was cut into, down to the entity.
    if (step ->> 'processed')::bigint > 0 or (step ->> 'sub_batches')::bigint = 0 then
      size := imago.rehearsal_size(size, step);
      update imago.lane l set batch_size = size where l.run = run_id and l.cursor_key is null and l.deferrals = 0 and not l.done;
    end if;
    call_ms := least(200, 2 * call_ms);
  end loop;
  return jsonb_build_object('reason', reason, 'answer', answer, 'cost', imago.entity_cost(costs));
end
$$;
comment on function imago.rehearse_stage(bigint, integer, integer, timestamptz, bigint) is 'Works on a stage of a rehearsal, and says why it ended and what an entity costs. Reasons: complete, time (also where enough were moved), waiters, locked, held (by the governor), failures (the error budget) or error.';
