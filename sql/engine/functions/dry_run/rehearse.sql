create or replace function imago.rehearse(plan_name text, mode text, batch_size integer, max_ms integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan;
  run imago.run;
  before jsonb;
  step jsonb;
  answer jsonb;
  first_log bigint := coalesce((select max(l.id) from imago.log l), 0);
  locked_at timestamptz;
  lsn pg_lsn;
  work_ms integer := case mode when 'full' then 3600000 else least(max_ms, 2000) end;
begin
  update imago.setting s set value = '200' where s.name = 'ddl_lock_timeout_ms';
  select p.* into plan from imago.plan p where p.name = plan_name;
  if plan.prepared_at is null then
    locked_at := clock_timestamp();
    work_ms := case mode when 'full' then work_ms else least(work_ms, 500) end;
    loop
      step := imago.prepare_step(plan_name);
      if step ->> 'status' = 'busy' then
        perform imago.raise_error('IM016', plan_name);
      end if;
      exit when not (step ->> 'has_more')::boolean;
    end loop;
    select p.* into plan from imago.plan p where p.name = plan_name;
  end if;
  perform set_config('imago.dry', 'on', true);
  run := imago.unfinished_run(plan_name);
  if run.id is not null then
    update imago.run r set state = 'cancelled' where r.id = run.id;
  end if;
  run := imago.open_run(plan_name, 'forward', max_failures => '999999999');
  perform imago.start_run(run.id, coalesce(batch_size, case mode when 'full' then 2000 end));
  if mode = 'full' then
    update imago.setting s set value = '1000000' where s.name in ('max_sub_batches');
    update imago.setting s set value = '2000' where s.name = 'sub_batch_ms';
  end if;

  before := imago.table_counters();
  lsn := pg_current_wal_insert_lsn();
  loop
    step := imago.work_run(run.id, work_ms, batch_size);
    answer := case when answer is null then step else imago.add_answers(answer, step) end;
    exit when mode = 'sample' or step ->> 'status' not in ('working', 'deferred');
    -- The timer is not armed again: without this the rest would run on past the caller's timeout.
    if imago.timed_out() then
      perform imago.raise_error('IM018');
    end if;
  end loop;
  perform set_config('imago.dry', '', true);
  return imago.dry_run_report(plan, run, answer, before, first_log)
    || jsonb_build_object(
      'mode', mode, 'wal_bytes', pg_current_wal_insert_lsn() - lsn,
      'locks_held_ms', case when locked_at is not null then round(extract(epoch from clock_timestamp() - locked_at)::numeric * 1000) end);
end
$$;
comment on function imago.rehearse(text, text, integer, integer) is 'The body of a dry run: prepares where needed, works like a real run, compares what was written with what was declared. The caller rolls it back.';
