create or replace function imago.unschedule_ended(plan_name text, finalize boolean, failed_with text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  last imago.run;
begin
  -- Somebody schedules at this very moment: the next tick decides.
  if not pg_try_advisory_xact_lock(imago.plan_lock_key(plan_name, 'schedule')) then
    return;
  end if;
  if finalize and (imago.find_plan(plan_name)).finalized_at is not null then
    perform imago.unschedule(plan_name, 'finalized');
  elsif not finalize and (imago.unfinished_run(plan_name)).id is null then
    if exists (select from imago.notice n where n.plan = plan_name and n.way <> 'driver' and n.sent_at is null and n.given_up_at is null) then
      -- People are still to be told how it ended.
      return;
    end if;
    last := imago.last_run(plan_name);
    perform imago.unschedule(plan_name, coalesce(concat_ws(': ', last.state, last.reason), 'no run'),
      case last.state when 'succeeded' then 'info' when 'failed' then 'error' else 'warning' end);
  elsif failed_with !~ '^(40|53|55|57|58|IM016)' then
    perform imago.unschedule(plan_name, 'error', 'error', failed_with);
  end if;
end
$$;
comment on function imago.unschedule_ended(text, boolean, text) is 'Removes the job of a plan that has nothing left to do, or whose tick failed for good. No run of it is unfinished, or finalize is done; or the SQLSTATE is one that does not pass by itself.';
