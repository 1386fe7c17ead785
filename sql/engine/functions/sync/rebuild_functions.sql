create or replace function imago.rebuild_functions(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  failure text;
begin
  perform imago.build_captures(plan_name);
  for sync in select s.* from imago.plan_sync s where s.plan = plan_name and s.installed_at is not null order by s.position loop
    begin
      if pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.fill_function(plan_name, sync.position))) is not null then
        perform imago.build_fill(sync, imago.plan_at_stage(imago.find_plan(plan_name), sync.stage));
      end if;
      perform imago.build_sync(sync, imago.plan_at_stage(imago.find_plan(plan_name), sync.stage), imago.sync_ending(sync));
    exception when others then
      -- Its statement names what is called otherwise now. It fails, and says so, as any sync that fails.
      failure := sqlstate;
      perform imago.write_log(plan_name, null, 'error', 'sync_outdated', jsonb_build_object('sync', sync.name), null, failure);
    end;
  end loop;
end
$$;
comment on function imago.rebuild_functions(text) is 'Generates the trigger functions of a plan again, for its tables as they are now.';
