create or replace function imago.raise_attempt(plan_name text, attempt imago.attempt)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if attempt.outcome = 'blocked' then
    perform imago.raise_error('IM025');
  elsif attempt.outcome = 'moved' then
    return;
  elsif attempt.sqlstate in ('IM010', 'IM011') then
    perform imago.raise_error(attempt.sqlstate);
  end if;
  perform imago.raise_error('IM023', plan_name, attempt.sqlstate);
end
$$;
comment on function imago.raise_attempt(text, imago.attempt) is 'For calls about one entity: what went wrong with it is an error of the call.';
