create or replace function imago.expect_clean(plan imago.plan, deadline timestamptz, since timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  run_id constant bigint := (imago.last_run(plan.name)).id;
  answer jsonb;
begin
  answer := imago.run_error_checks(plan, run_id, deadline, since);
  if answer -> 'failing' <> '[]' and (answer ->> 'has_more')::boolean then
    -- It may have been fixed since that was counted: begin again.
    answer := imago.run_error_checks(plan, run_id, deadline, clock_timestamp());
  end if;
  if answer -> 'failing' <> '[]' then
    perform imago.raise_error('IM038', plan.name, (
      select string_agg(format('check %s %s', f ->> 'name', case
          when f ->> 'error' is not null then 'cannot be evaluated: ' || (f ->> 'error')
          else 'finds ' || (f ->> 'found') || imago.sample_keys_text(array(select jsonb_array_elements_text(f -> 'keys')), (f ->> 'found')::bigint) end), '; ')
      from jsonb_array_elements(answer -> 'failing') f),
      'Call validate_migration to see what is wrong and what fixes it.' || coalesce((
        select ' ' || string_agg(distinct h.hint, ' ') from jsonb_array_elements(answer -> 'failing') f
        cross join lateral jsonb_array_elements_text(f -> 'hints') h(hint)), ''));
  end if;
  return answer;
end
$$;
comment on function imago.expect_clean(imago.plan, timestamptz, timestamptz) is 'One call''s worth of the checks; refuses (IM038) as soon as one of severity error fails or cannot be evaluated. The error names the check, its count and some keys.';
