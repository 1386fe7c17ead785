create or replace function imago.finalize_checks(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  since timestamptz := coalesce(plan.checking_since, clock_timestamp());
  deadline constant timestamptz := imago.call_deadline(4000);
  run_id constant bigint := (imago.last_run(plan.name)).id;
  name constant text := case when plan.finalizing_at is null then 'checks' else 'checks once more' end;
  answer jsonb;
begin
  answer := imago.check_clean(plan, run_id, deadline, since);
  if answer -> 'failing' <> '[]' and (answer ->> 'has_more')::boolean then
    -- It may have been mended since that was counted: begin anew.
    answer := imago.check_clean(plan, run_id, deadline, clock_timestamp());
  end if;
  if answer -> 'failing' <> '[]' then
    perform imago.raise_error('IM038', plan.name, (
      select string_agg(format('check %s %s', f ->> 'name',
          case when f ->> 'error' is null then 'finds ' || (f ->> 'found') else 'cannot be evaluated: ' || (f ->> 'error') end), '; ')
      from jsonb_array_elements(answer -> 'failing') f),
      'Call validate_migration to see what is wrong and what mends it.');
  end if;
  if not imago.hold_plan(plan.name, false) then
    return imago.finalize_answer(plan.name, name, 'busy');
  end if;
  if (answer ->> 'has_more')::boolean then
    update imago.plan p set checking_since = since where p.name = plan.name and p.checking_since is null;
    return imago.finalize_answer(plan.name, name, 'checking') || jsonb_build_object('percentage', answer -> 'percentage');
  end if;
  update imago.plan p set
    checking_since = null, checked_at = clock_timestamp(), finalizing_at = coalesce(p.finalizing_at, clock_timestamp())
  where p.name = plan.name and p.closed_at is null;
  perform imago.write_log(plan.name, null, 'info', 'finalize', jsonb_build_object('step', name));
  return imago.finalize_answer(plan.name, name, 'finalizing');
end
$$;
comment on function imago.finalize_checks(imago.plan) is 'One call''s worth of the checks that stand before finalize; refuses as soon as one of severity error fails or cannot be evaluated (IM038).';
