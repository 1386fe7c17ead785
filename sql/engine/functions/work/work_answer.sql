create or replace function imago.work_answer(run_id bigint, outcome text, totals jsonb, rows jsonb, started timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  moved bigint := coalesce((totals ->> 'moved')::bigint, 0);
  processed bigint := coalesce((totals ->> 'processed')::bigint, 0);
  failed bigint := coalesce((totals ->> 'failed')::bigint, 0);
  aside record;
begin
  perform imago.send_notices();
  select r.* into run from imago.run r where r.id = run_id;
  perform imago.broadcast_figures(run);
  select * into aside from imago.count_set_aside(run.plan, run.direction);
  return jsonb_build_object(
    'run', run.id, 'plan', run.plan, 'direction', run.direction, 'status', outcome, 'state', run.state,
    'processed', processed, case run.direction when 'forward' then 'migrated' else 'rolled_back' end, moved,
    'skipped', greatest(0, processed - moved - failed), 'failed', failed, 'failures_left', aside.failed, 'unreachable', aside.unreachable, 'conflicts', aside.conflicts,
    'has_more', outcome <> 'done',
    'retry_after_ms', case outcome when 'busy' then 50 when 'deferred' then 200 else 0 end,
    'sub_batches', coalesce((totals ->> 'sub_batches')::bigint, 0),
    'rows', rows,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1),
    'error', case when outcome = 'failed' then imago.run_error(run) end,
    'next', case when outcome = 'failed' and run.direction = 'forward'
                  and exists (select from imago.run r where r.caused_by = run.id) then 'rollback' end)
    || case run.direction when 'forward' then jsonb_build_object(
      'checking', case when outcome = 'working' then imago.end_checks_done(run) end,
      'cohort', run.cohort,
      'others_pending', case when outcome = 'done' and run.cohort is not null then imago.others_pending(imago.find_plan(run.plan)) end,
      'findings', case when outcome = 'done' then run.findings end)
      else jsonb_build_object('forgotten', (
        select count(*) from imago.failure f where f.plan = run.plan and f.kind = 'forgotten')) end;
end
$$;
comment on function imago.work_answer(bigint, text, jsonb, jsonb, timestamptz) is 'The JSON that migrate_batch and rollback_batch return.';
