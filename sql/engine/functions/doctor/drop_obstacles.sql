create or replace function imago.drop_obstacles(plan imago.plan)
returns table (reason text, remedy text)
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.unfinished_run(plan.name);
  last imago.run := imago.last_run(plan.name);
  users text;
begin
  if run.id is not null then
    return query select format('run %s (%s) is %s', run.id, run.direction, run.state),
      format('Let it end, or end it: select cancel_migration(%L).', plan.name);
  elsif plan.closed_at is not null and plan.finalized_at is null then
    return query select 'finalize has not ended'::text,
      format('Call select finalize_migration(%L) until has_more is false.', plan.name);
  elsif plan.finalized_at is null and plan.prepared_at is not null then
    return query select 'it is prepared, and can be taken back'::text, format(
      'Take it back (select rollback_batch(%1$L) until has_more is false) or end it (select finalize_migration(%1$L) likewise), '
      'then clean up: select cleanup_migration(%1$L).',
      plan.name);
  elsif exists (select from imago.plan_write w where w.plan = plan.name and w.undo_table is not null)
    or plan.cleaned_at is null and (plan.finalized_at is not null or last.id is not null) then
    return query select 'its journal, and what else its run has left behind, is still there'::text,
      format('Call select cleanup_migration(%L) until has_more is false.', plan.name);
  end if;
  users := imago.users_of_plan(plan.name);
  if users is not null then
    return query select format('the app uses it (%s)', users), 'Drop these, or have them do without.'::text;
  end if;
end
$$;
comment on function imago.drop_obstacles(imago.plan) is 'What keeps a plan from being dropped, each with its remedy.';
