create or replace function imago.validation_phase(plan imago.plan)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when run.id is null or plan.prepared_at is null or run.state = 'pending' then 'before'
    when run.direction = 'rollback' and run.state = 'succeeded' then 'before'
    when run.direction = 'forward' and imago.end_status(run) = 'done' then 'after'
    else 'during'
  end
  from imago.last_effective_run(plan.name) run
$$;
comment on function imago.validation_phase(imago.plan) is 'What a validation may expect: before, during or after. Before: nothing is moved, or everything was taken back. During: half-way. After: the run has ended.';
