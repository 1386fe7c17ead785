create or replace function imago.last_moving_run(plan text)
returns imago.run
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each write of the app.
as $$
begin
  return (
    select r from imago.run r where r.plan = last_moving_run.plan and r.validation is null order by r.id desc limit 1);
end
$$;
comment on function imago.last_moving_run(text) is 'The newest run of the plan that moves entities, forward or back: not one that fixes findings.';
