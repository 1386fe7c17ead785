create or replace function imago.check_end_of_run(
  run imago.run,
  plan imago.plan,
  checks imago.validation,
  since timestamptz,
  deadline timestamptz
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer jsonb;
  -- With writers that never cease, and no sync, there is always something new.
  most constant integer := 3;
begin
  if checks.state = 'done' then
    answer := imago.failing_checks(checks.id);
    if answer = '[]'
       or not exists (select from imago.batch b where b.run = check_end_of_run.run.id and b.moved > 0 and b.created_at >= checks.created_at)
       or most <= (select count(*) from imago.validation v where v.run = check_end_of_run.run.id and v.created_at >= since) then
      return answer;
    end if;
  end if;
  answer := imago.run_error_checks(plan, run.id, deadline, since, checks.id is not null);
  -- Nothing was found right after the proof: that is the end. Else whatever came meanwhile is to be moved first.
  return case when not (answer ->> 'has_more')::boolean and answer -> 'failing' = '[]'
    and (imago.latest_end_validation(run, since)).created_at >= statement_timestamp() then '[]'::jsonb end;
end
$$;
comment on function imago.check_end_of_run(imago.run, imago.plan, imago.validation, timestamptz, timestamptz) is 'What the checks at the end of a run have found, or null: call again, having proved once more that nothing is left. What was found before something was moved is counted again.';
