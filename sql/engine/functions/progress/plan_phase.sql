create or replace function imago.plan_phase(plan imago.plan, run imago.run)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when plan.cleaned_at is not null then 'cleaned up'
    when plan.finalized_at is not null then 'finalized'
    when plan.finalizing_at is not null then 'finalize'
    when run.id is null then 'not started'
    when run.direction = 'rollback' then case when run.state in ('pending', 'running', 'paused') then 'rollback' else 'rolled back' end
    when plan.prepared_at is null or run.state = 'pending' then 'prepare'
    when run.state = 'succeeded' then 'validate'
    when exists (select from imago.validation v where v.run = plan_phase.run.id and v.state <> 'done') then 'validate'
    when exists (select from imago.lane l where l.run = run.id and l.pass = 'main' and not l.done) then 'backfill'
    else 'late pass'
  end
$$;
comment on function imago.plan_phase(imago.plan, imago.run) is 'Where a plan stands: prepare, backfill, late pass, validate, finalize, finalized, cleaned up, rollback, rolled back.';
