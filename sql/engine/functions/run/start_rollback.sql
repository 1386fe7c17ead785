create or replace function imago.start_rollback(plan_name text, force boolean, caused_by bigint default null)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.unfinished_run(plan_name);
  started imago.run;
begin
  perform imago.expect_not_finalized(plan_name, 'rollback');
  perform imago.expect_journal(plan_name);
  while run.direction = 'forward' loop
    run := imago.lock_run(run.id);
    if run.state in ('pending', 'running', 'paused') then
      perform imago.transition_run(run.id, 'supersede', 'rollback');
      exit;
    end if;
    -- Somebody else has turned round while we waited, or the run has ended by itself.
    run := imago.unfinished_run(plan_name);
  end loop;
  if run.direction = 'forward' then
    run := null;
  end if;
  -- A call that began before a rollback ended was meant for that one.
  if run.id is null and caused_by is null then
    started := imago.last_run(plan_name);
    if started.direction = 'rollback' and started.state in ('succeeded', 'failed') and started.finished_at > statement_timestamp() then
      return started;
    end if;
  end if;
  if run.id is null then
    delete from imago.failure f where f.plan = plan_name and f.direction = 'rollback' and f.kind <> 'held';
    run := imago.open_run(plan_name, 'rollback', force => coalesce(force, false), caused_by => caused_by);
  elsif run.force <> force then
    perform imago.raise_error('IM007', run.id::text, plan_name, 'force', run.force::text, force::text);
  end if;
  if run.state = 'pending' then
    perform imago.analyze_journal(plan_name);
    perform imago.start_run(run.id);
    select r.* into started from imago.run r where r.id = run.id;
    return started;
  end if;
  return run;
end
$$;
comment on function imago.start_rollback(text, boolean, bigint) is 'The rollback run of a plan: the unfinished one, or a new one that takes over from the forward run.';
