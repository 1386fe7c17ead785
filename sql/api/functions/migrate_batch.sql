create or replace function public.migrate_batch(
  plan text default 'avatars',
  max_ms integer default 2000,
  batch_size integer default null,
  dry_run boolean default false,
  backup boolean default null,
  max_failures text default null,
  on_failure text default null,
  run bigint default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  driven imago.run;
  result jsonb;
begin
  perform imago.find_plan(plan);
  perform imago.expect_size(batch_size, max_ms);
  perform imago.expect_options(backup, max_failures, on_failure, dry_run);
  if dry_run then
    return imago.dry_run(plan, 'sample', batch_size, max_ms);
  end if;

  if (select p.closed_at is not null from imago.plan p where p.name = migrate_batch.plan) then
    return imago.work_answer((imago.last_run(plan)).id, 'done', '{}', '{}', statement_timestamp());
  end if;
  begin
    driven := imago.forward_run(plan, backup, max_failures, on_failure, run);
  exception when sqlstate 'IM016' then
    -- The run that is wanted is not there yet; the last one must not be taken for it.
    return imago.work_answer((imago.last_run(plan)).id, 'busy', '{}', '{}', statement_timestamp()) || '{"run": null}';
  end;
  if driven.direction = 'rollback' then
    result := imago.work_run(driven.id, max_ms, batch_size);
    return result || case result ->> 'status'
      when 'done' then jsonb_build_object('status', 'failed', 'error', (select imago.run_error(r) from imago.run r where r.id = driven.caused_by))
      else '{}' end;
  end if;
  if driven.state in ('pending', 'running') and not exists (select from imago.lane l where l.run = driven.id) then
    if (select p.prepared_at is null from imago.plan p where p.name = migrate_batch.plan) then
      result := imago.prepare_step(plan);
      return imago.work_answer(driven.id, 'preparing', '{}', '{}', statement_timestamp())
        || jsonb_build_object('step', result -> 'step', 'warnings', result -> 'warnings', 'retry_after_ms', result -> 'retry_after_ms');
    end if;
    begin
      perform imago.start_run(driven.id, batch_size);
    exception when sqlstate 'IM016' then
      return imago.work_answer(driven.id, 'busy', '{}', '{}', statement_timestamp());
    end;
  end if;
  return imago.work_run(driven.id, imago.call_budget(driven.id, max_ms), batch_size);
end
$$;
comment on function public.migrate_batch(text, integer, integer, boolean, boolean, text, text, bigint) is 'Imago: one call''s worth of a migration, within max_ms milliseconds. Call it, from as many places as you like, until has_more is false. status: preparing, working, done, paused, busy, deferred (wait retry_after_ms), failed (see error) or cancelled. What holds for a run (backup, max_failures, on_failure) is fixed by the call that opens it; left out, it is what the run has. run: the run that the caller drives; no other is opened then.';
