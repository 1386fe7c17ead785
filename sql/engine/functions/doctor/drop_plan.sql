create or replace function imago.drop_plan(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := (select p from imago.plan p where p.name = plan_name);
  reasons text;
  remedies text;
  routine regprocedure;
begin
  if plan.name is null then
    raise notice 'Plan % is not here: nothing to drop.', plan_name;
    return;
  end if;
  if not imago.lock_plan(plan_name, true) then
    perform imago.raise_error('IM095', plan_name, 'others are working with it', 'Push again.');
  end if;
  plan := imago.find_plan(plan_name);
  perform imago.keep_users_out(plan_name);
  select string_agg(o.reason, '; '), string_agg(o.remedy, ' ') || ' Then push again.' into reasons, remedies
  from imago.drop_obstacles(plan) o;
  if reasons is not null then
    perform imago.raise_error('IM095', plan_name, reasons, remedies);
  end if;
  perform imago.unschedule(plan_name, 'the plan is dropped');
  perform imago.remove_sync(plan_name);
  foreach routine in array imago.published_functions(plan_name)::regprocedure[] loop
    execute format('drop function %s', routine);
  end loop;
  execute format('drop schema if exists %I cascade', plan_name);
  delete from imago.plan p where p.name = plan_name;
  perform imago.write_log(plan_name, null, 'info', 'dropped', jsonb_build_object('title', plan.title));
end
$$;
comment on function imago.drop_plan(text) is 'Takes a plan out: schema, functions, registration, runs. Refused with IM095.';
