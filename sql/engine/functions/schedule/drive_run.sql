create or replace function imago.drive_run(run imago.run, max_ms integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  if run.direction = 'rollback' then
    return public.rollback_batch(run.plan, max_ms, run.force, run.id);
  end if;
  return public.migrate_batch(run.plan, max_ms,
    backup => run.backup, max_failures => run.max_failures, on_failure => run.on_failure, run => run.id);
end
$$;
comment on function imago.drive_run(imago.run, integer) is 'One call''s worth of a run, in its direction and with its settings.';
