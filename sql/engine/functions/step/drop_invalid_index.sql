create or replace function imago.drop_invalid_index(plan_name text, phase text)
returns void
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  step record;
begin
  select d.* into step from imago.direct_step(plan_name, phase) d;
  perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
  execute format('lock table %s in access exclusive mode', step.relation);
  -- Whoever was building it meanwhile has ended, and may have succeeded.
  select d.* into step from imago.direct_step(plan_name, phase) d;
  if step.invalid_index is not null then
    execute format('drop index %s', step.invalid_index);
    perform imago.write_log(plan_name, null, 'warning', 'direct', jsonb_build_object('step', step.name, 'dropped', step.invalid_index));
  end if;
end
$$;
comment on function imago.drop_invalid_index(text, text) is 'Drops the invalid index that an interrupted build of the next direct step has left, with a short lock timeout.';
