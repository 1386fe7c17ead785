create or replace function imago.expect_run(plan_name text, direction text, run_id bigint)
returns imago.run
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run;
begin
  select r.* into run from imago.run r where r.id = run_id and r.plan = plan_name and r.direction = expect_run.direction;
  if not found then
    perform imago.raise_error('IM034', run_id::text, expect_run.direction, plan_name);
  end if;
  return run;
end
$$;
comment on function imago.expect_run(text, text, bigint) is 'The run that a caller says it drives, or IM034.';
