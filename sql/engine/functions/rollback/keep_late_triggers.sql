create or replace function imago.keep_late_triggers(plan_name text)
returns text
language plpgsql
volatile
set search_path = ''
set lock_timeout = '200ms'
as $$
declare
  write imago.plan_write;
  result text := 'none';
  context text;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan_name and w.captured_at is not null and w.kept_at is null loop
    if imago.needs_keep(write) then
      perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
      -- Callers come at the same time, and two who create one function get an error of the catalogue.
      perform from imago.plan_write w where w.id = write.id and w.kept_at is null for no key update;
      if found then
        perform imago.install_keep(write.id);
        result := 'built';
      end if;
    end if;
  end loop;
  return result;
exception
  when lock_not_available or deadlock_detected then
    return 'deferred';
  when others or assert_failure then
    get stacked diagnostics context = pg_exception_context;
    perform imago.raise_error('IM073', 'triggers that keep columns', plan_name,
      imago.sqlstate_text(sqlstate, (imago.find_raiser(context, sqlstate, plan_name)).raised_by));
end
$$;
comment on function imago.keep_late_triggers(text) is 'Before rows are moved: keeps triggers of the app that came after prepare from having the last word on them. Answers none (there are no such), built, or deferred: a table cannot be locked just now. Raises IM073 where they cannot be made, as where an event trigger of the app refuses them.';
