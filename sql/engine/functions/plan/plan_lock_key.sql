create or replace function imago.plan_lock_key(plan_name text, purpose text)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select pg_catalog.hashtextextended('imago ' || purpose || ' ' || plan_name, 0)
$$;
comment on function imago.plan_lock_key(text, text) is 'Key of an advisory lock on a plan: tick, schedule, finalize or dry_run. tick for the one tick that works, schedule for the one that decides whether its job stays, finalize for the one caller that finalizes or cleans up, dry_run (of all plans: no name) for the one dry run.';
