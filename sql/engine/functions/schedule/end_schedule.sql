create or replace function imago.end_schedule(plan_name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_cron();
  perform imago.expect_writable(moving => false);
  return jsonb_build_object('plan', plan_name, 'unscheduled', imago.unschedule(plan_name, 'asked for'));
end
$$;
comment on function imago.end_schedule(text) is 'Removes the job of a plan because a person asks for it.';
