create or replace function imago.cleanup(plan_name text, older_than interval, dry_run boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  step imago.plan_step;
  name text;
  since timestamptz;
  freed jsonb := '{}';
  outcome jsonb;
  held jsonb := '{}';
  started timestamptz;
begin
  if older_than is null or dry_run is null then
    perform imago.raise_error('IM004', case when dry_run is null then 'dry_run' else 'older_than' end);
  end if;
  if older_than < interval '0' then
    perform imago.raise_error('IM015', 'older_than', older_than::text, 'zero or more');
  end if;
  if dry_run then
    return imago.cleanup_preview(plan, imago.expect_cleanable(plan, older_than));
  end if;
  perform imago.expect_session();
  perform imago.expect_visible(plan_name);
  -- Dropping the journal gives space back, which is what a read-only database needs.
  if imago.read_only_reason(moving => false) is not null then
    return imago.cleanup_answer(plan_name, null, 'waiting') || imago.waiting_fields();
  end if;
  if not pg_try_advisory_xact_lock(imago.plan_lock_key(plan_name, 'finalize')) then
    return imago.cleanup_answer(plan_name, null, 'busy');
  end if;
  perform imago.expect_cleanable(plan, older_than);
  if not imago.lock_plan(plan_name, true) then
    return imago.cleanup_answer(plan_name, null, 'busy');
  end if;
  plan := imago.find_plan(plan_name);
  since := imago.expect_cleanable(plan, older_than);

  step := imago.next_step(plan_name, 'cleanup');
  if step.plan is not null then
    name := step.name;
    started := clock_timestamp();
    outcome := imago.attempt_step(plan, step, false, false);
    if outcome is null then
      return imago.cleanup_answer(plan_name, name, 'busy');
    end if;
    held := imago.held_ms(started);
  elsif exists (select from imago.plan_write w where w.plan = plan_name and w.undo_table is not null) then
    name := 'journal';
    freed := imago.attempt_drop(plan);
    if freed is null then
      return imago.cleanup_answer(plan_name, name, 'busy');
    end if;
  else
    name := 'old rows of the log';
    freed := imago.drop_old_rows(plan_name, since);
    if freed ->> 'log_rows' = '0' and freed ->> 'batch_rows' = '0' then
      update imago.plan p set cleaned_at = clock_timestamp() where p.name = plan_name and p.cleaned_at is null;
      return imago.cleanup_answer(plan_name, null, 'cleaned up');
    end if;
  end if;
  perform imago.write_log(plan_name, null, 'info', 'cleanup', jsonb_build_object('step', name) || freed || held
    || case when outcome -> 'warnings' <> '[]' then jsonb_build_object('warnings', outcome -> 'warnings') else '{}' end);
  return imago.cleanup_answer(plan_name, name, 'cleaning up', freed, coalesce(outcome -> 'warnings', '[]')) || held;
end
$$;
comment on function imago.cleanup(text, interval, boolean) is 'One call''s worth of clean-up: the plan''s next step, then the journal, then what the log holds of the migration. Refuses arguments that make no sense (IM004, IM015).';
