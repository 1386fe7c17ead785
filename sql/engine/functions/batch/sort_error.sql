create or replace function imago.sort_error(error imago.attempt, detail text, context text, plan text)
returns imago.attempt
language plpgsql
stable
set search_path = ''
as $$
declare
  raiser record := imago.find_raiser(context, error.sqlstate, plan);
begin
  error.raised_by := coalesce(raiser.raised_by, case error.sqlstate when '0A000' then (
    -- PostgreSQL does not say which rule keeps our statements from being done.
    select string_agg(p.object, ', ') from imago.capture_problems(plan) p where p.kind = 'rule') end);
  error.by_app := raiser.by_app;
  error.outcome := case
    when raiser.by_engine and error.sqlstate = 'IM060' then 'stop'
    -- Code that raises one of these asks for a retry.
    when error.sqlstate ~ '^40[^I]' or error.sqlstate in ('55P03', '55006') then 'blocked'
    when raiser.by_app then 'bad'
    when error.sqlstate = '57014' then 'timeout'
    when left(error.sqlstate, 2) = '40' then 'blocked'
    when left(error.sqlstate, 2) in ('42', '53', '55', '58', 'XX') then 'stop'
    else 'bad'
  end;
  if error.sqlstate = 'IM060' and raiser.by_engine then
    error.error_code := error.sqlstate;
    error.error_detail := array(select d from jsonb_array_elements_text(detail::jsonb) d);
  elsif error.outcome = 'stop' then
    error.error_code := 'IM021';
    error.error_detail := array[error.sqlstate, coalesce(' It came from ' || error.raised_by || '.', '')];
  elsif raiser.by_engine and error.sqlstate in ('IM010', 'IM026', 'IM061', 'IM068') then
    select array_agg(k) into error.bad_keys from jsonb_array_elements_text(detail::jsonb) k;
  end if;
  return error;
end
$$;
comment on function imago.sort_error(imago.attempt, text, text, text) is 'What follows from an error of a sub-batch, by its SQLSTATE and by who raised it. What the app''s code raises is the fault of its entity, whatever it is; only what ours raises stops a run. Codes of Imago are its own, and their details read, only where its functions raised them.';
