create or replace function imago.run_error_checks(plan imago.plan, run_id bigint, deadline timestamptz, since timestamptz, may_step boolean default true)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  held imago.validation := imago.claim_validation(plan, false, false, since, run_id);
begin
  if held.id is null then
    return imago.busy_answer(plan, false, false, false, clock_timestamp(), run_id) || '{"failing": []}';
  end if;
  held := imago.work_validation(held, plan, deadline, may_step);
  return imago.validation_answer(held.id, held.state, false, clock_timestamp())
    || jsonb_build_object('failing', imago.failing_checks(held.id));
end
$$;
comment on function imago.run_error_checks(imago.plan, bigint, timestamptz, timestamptz, boolean) is 'One call''s worth of the checks that must not fail, for the end of a run and for finalize. It is the same validation that a person sees. Call until has_more is false; failing names the checks that fail or cannot be evaluated. since: what was counted before is counted again.';
