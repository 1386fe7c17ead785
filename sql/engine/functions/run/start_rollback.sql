create or replace function imago.start_rollback(plan_name text, force boolean, caused_by bigint default null)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.unfinished_run(plan_name);
  seen imago.run := imago.last_run(plan_name);
  last imago.run;
  started imago.run;
begin
  perform imago.expect_not_finalized(plan_name, 'rollback');
  perform imago.expect_journal(plan_name);
  if run.id is null or run.direction = 'forward' then
    -- One caller at a time turns round. One that waited for that, or for all of the rollback, does not ask for another one.
    last := imago.lock_last_run(plan_name);
    if caused_by is null and last.direction = 'rollback' and last.state in ('succeeded', 'failed')
       and (last.id <> seen.id or last.finished_at > statement_timestamp()) then
      return last;
    end if;
    run := imago.unfinished_run(plan_name);
    if run.direction = 'forward' then
      perform imago.transition_run(run.id, 'supersede', 'rollback');
      run := null;
    end if;
  end if;
  if run.id is null then
    delete from imago.failure f where f.plan = plan_name and f.direction = 'rollback' and f.kind not in ('held', 'forgotten');
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
