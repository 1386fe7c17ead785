create or replace function imago.expect_no_problems(plan_name text, problems jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if jsonb_path_exists(problems, '$[*] ? (@.severity == "error")') then
    perform imago.raise_error('IM006', plan_name, (
      select string_agg(format('%s %s', p ->> 'object', p ->> 'message'), '; ')
      from jsonb_array_elements(problems) p where p ->> 'severity' = 'error'));
  end if;
end
$$;
comment on function imago.expect_no_problems(text, jsonb) is 'Refuses to start where the preflight found errors (IM006).';
