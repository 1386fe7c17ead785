create or replace function imago.finalize_checks(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  since timestamptz;
  deadline constant timestamptz := imago.call_deadline(4000);
  name constant text := case when plan.finalizing_at is null then 'checks' else 'checks once more' end;
  looked record;
  answer jsonb := '{"has_more": true, "percentage": 0}';
begin
  -- What calls of last week have found says nothing any more.
  if coalesce(plan.checking_at < clock_timestamp() - interval '5 minutes', true) then
    plan.checking_since := null;
    plan.checking_stage := null;
    plan.checking_key := null;
  end if;
  since := coalesce(plan.checking_since, clock_timestamp());
  looked := imago.find_pending(plan, deadline, coalesce(plan.checking_stage, 1), plan.checking_key);
  perform imago.expect_finalizable(plan, looked.pending);
  if clock_timestamp() < deadline then
    answer := imago.expect_clean(plan, deadline, since);
  end if;
  if not imago.lock_plan(plan.name, false) then
    return imago.finalize_answer(plan.name, name, 'busy');
  end if;
  if (answer ->> 'has_more')::boolean then
    update imago.plan p set
      checking_since = since, checking_at = clock_timestamp(), checking_stage = looked.next_stage, checking_key = looked.next_key
    where p.name = plan.name;
    return imago.finalize_answer(plan.name, name, 'checking') || jsonb_build_object('percentage', answer -> 'percentage');
  end if;
  update imago.plan p set
    checking_since = null, checking_at = null, checking_stage = null, checking_key = null,
    checked_at = clock_timestamp(), finalizing_at = coalesce(p.finalizing_at, clock_timestamp())
  where p.name = plan.name and p.closed_at is null;
  perform imago.write_log(plan.name, null, 'info', 'finalize', jsonb_build_object('step', name));
  return imago.finalize_answer(plan.name, name, 'finalizing');
end
$$;
comment on function imago.finalize_checks(imago.plan) is 'One call''s worth of what stands before finalize: looks for what is pending, then goes through the checks. Refuses as soon as it finds something (IM038).';
