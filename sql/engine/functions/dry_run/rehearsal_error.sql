create or replace function imago.rehearsal_error(plan imago.plan, error jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  -- What stops a run for good stops nothing here: there is no run to be retried or rolled back.
  select case when error ->> 'code' is not null then error || jsonb_build_object('hint', case error ->> 'code'
    when 'IM020' then 'Nothing was kept. The failures of this answer say who, and why: fix the cause, then try again.'
    when 'IM060' then format('Nothing was kept. Put that right (select * from imago.capture_problems(%L) lists what is wrong), then try again.', plan.name)
    else 'Nothing was kept. Fix the cause, then try again.' end) else error end
$$;
comment on function imago.rehearsal_error(imago.plan, jsonb) is 'The error that a rehearsal ended with, with a remedy that fits: nothing of it is there any more.';
