create or replace function public.migrate_batch(
  plan text default 'avatars',
  max_ms integer default 2000,
  batch_size integer default null,
  dry_run boolean default false,
  backup boolean default true,
  max_failures text default null,
  on_failure text default 'stop'
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  run imago.run;
  result jsonb;
begin
  perform imago.find_plan(plan);
  perform imago.check_size(batch_size, max_ms);
  perform imago.check_options(backup, max_failures, on_failure, dry_run);
  if dry_run then
    return imago.dry_run(plan, 'sample', batch_size, max_ms);
  end if;

  begin
    run := imago.forward_run(plan, backup, max_failures, on_failure);
  exception when sqlstate 'IM016' then
    return imago.answer((imago.last_run(plan)).id, 'busy', '{}', '{}', statement_timestamp());
  end;
  if run.direction = 'rollback' then
    result := imago.work(run.id, max_ms, batch_size);
    return result || case result ->> 'status'
      when 'done' then jsonb_build_object('status', 'failed', 'error', (select imago.error_of(r) from imago.run r where r.id = run.caused_by))
      else '{}' end;
  end if;
  if run.state = 'failed' then
    return imago.answer(run.id, 'failed', '{}', '{}', clock_timestamp());
  end if;
  if run.state = 'pending' then
    if (select p.prepared_at is null from imago.plan p where p.name = migrate_batch.plan) then
      result := imago.prepare_step(plan);
      return imago.answer(run.id, 'preparing', '{}', '{}', statement_timestamp())
        || jsonb_build_object('step', result -> 'step', 'warnings', result -> 'warnings', 'retry_after_ms', result -> 'retry_after_ms');
    end if;
    begin
      perform imago.start_run(run.id, batch_size);
    exception when sqlstate 'IM016' then
      return imago.answer(run.id, 'busy', '{}', '{}', statement_timestamp());
    end;
  end if;
  return imago.work(run.id, max_ms, batch_size);
end
$$;
comment on function public.migrate_batch(text, integer, integer, boolean, boolean, text, text) is 'Imago: one call''s worth of a migration, within max_ms milliseconds. Call it, from as many places as you like, until has_more is false. status: preparing, working, done, paused, busy, deferred (wait retry_after_ms) or failed (see error).';
