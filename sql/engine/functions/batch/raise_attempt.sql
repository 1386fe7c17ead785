create or replace function imago.raise_attempt(plan imago.plan, attempt imago.attempt)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  singular text := (imago.entity_words(plan)).singular;
begin
  if attempt.outcome = 'blocked' and not attempt.by_app then
    perform imago.raise_error('IM025', singular);
  elsif attempt.outcome = 'moved' then
    return;
  elsif attempt.sqlstate in ('IM010', 'IM011') and not attempt.by_app then
    perform imago.raise_error(attempt.sqlstate, singular);
  end if;
  if attempt.error_code = 'IM021' and attempt.sqlstate in ('42703', '42P01', '3F000') and imago.renames(plan.name) is not null then
    perform imago.raise_error('IM070', variadic array[plan.name, imago.renames(plan.name)] || attempt.error_detail);
  end if;
  perform imago.raise_error('IM023', plan.name, imago.sqlstate_text(attempt.sqlstate, attempt.raised_by), singular);
end
$$;
comment on function imago.raise_attempt(imago.plan, imago.attempt) is 'For calls about one entity: what went wrong with it is an error of the call.';
