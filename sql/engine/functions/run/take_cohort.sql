create or replace function imago.take_cohort(plan_name text, cohort jsonb, driven boolean default false)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan constant imago.plan := imago.find_plan(plan_name);
  run imago.run;
begin
  perform imago.hold_plan(plan_name);
  if not imago.store_cohort(plan_name, imago.next_cohort(plan, cohort, driven)) then
    return;
  end if;
  run := imago.unfinished_run(plan_name);
  perform imago.write_log(plan_name, run.id, 'info', 'cohort', jsonb_build_object('cohort', imago.cohort_json(plan_name)));
  if run.direction = 'forward' then
    run := imago.lock_run(run.id);
    if run.finished_at is not null then
      -- It has ended before it could be widened: the next call opens another.
      perform imago.raise_error('IM016', plan_name);
    end if;
    perform imago.widen_run(run, plan);
  end if;
end
$$;
comment on function imago.take_cohort(text, jsonb, boolean) is 'Has runs of a plan take a cohort, besides those that they take already. One that is under way walks its lanes once more. IM016 while others hold plan or run.';
