create or replace function imago.rehearse(plan_name text, mode text, batch_size integer, limits jsonb, max_failures text, enough bigint, cohort jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '400ms'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.unfinished_run(plan_name);
  first_log bigint := coalesce((select max(l.id) from imago.log l), 0);
  work_ms integer := (limits ->> (mode || '_ms'))::integer - (limits ->> 'prepare_ms')::integer;
  locked_at timestamptz;
  pending jsonb;
  before jsonb;
  lsn pg_lsn;
  tried jsonb;
begin
  if not pg_catalog.pg_try_advisory_xact_lock(imago.plan_lock_key('', 'dry_run')) then
    perform imago.raise_error('IM080');
  end if;
  -- First of all, since batches in flight are waited for.
  if run.id is not null then
    run := imago.lock_run(run.id);
    run := case when run.state in ('pending', 'running', 'paused') then run end;
  end if;
  perform imago.rehearse_settings();
  if cohort is not null then
    perform imago.take_cohort(plan_name, cohort);
  end if;
  if plan.prepared_at is null then
    locked_at := clock_timestamp();
    perform imago.rehearse_prepare(plan_name, locked_at + make_interval(secs => (limits ->> 'prepare_ms')::integer / 1000.0));
    plan := imago.find_plan(plan_name);
    -- While there is a view to ask. More rows than these would take too long under the locks of prepare.
    pending := imago.pending_figures(plan, 100000);
  end if;

  run := imago.rehearse_run(plan, run, max_failures);
  before := imago.table_counters();
  lsn := pg_current_wal_insert_lsn();
  tried := imago.rehearse_stages(run, plan, mode, batch_size, imago.call_deadline(work_ms), enough);
  return imago.dry_run_report(plan, run, tried, before, first_log)
    || jsonb_build_object(
      'mode', mode, 'wal_bytes', pg_current_wal_insert_lsn() - lsn, 'locks', imago.locks_held(),
      'stages', tried -> 'stages', 'pending', pending, 'locked_at', locked_at);
end
$$;
comment on function imago.rehearse(text, text, integer, jsonb, text, bigint, jsonb) is 'The body of a dry run: prepares where needed, works like a real run, compares what was written with what was declared. The caller rolls it back.';
