create or replace function imago.drop_invalid_index(relation text, invalid_index text, plan_name text, step text)
returns void
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
as $$
begin
  perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
  execute format('lock table %s in access exclusive mode', relation);
  -- A session that was building it meanwhile has ended, and may have succeeded.
  if exists (select from pg_catalog.pg_index i where i.indexrelid = pg_catalog.to_regclass(invalid_index) and not i.indisvalid) then
    execute format('drop index %s', invalid_index);
    perform imago.write_log(plan_name, null, 'warning', 'direct', jsonb_build_object('step', step, 'dropped', invalid_index));
  end if;
end
$$;
comment on function imago.drop_invalid_index(text, text, text, text) is 'Drops the invalid index that an interrupted build has left, with a short lock timeout.';
