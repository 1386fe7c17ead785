create or replace function imago.remove_sync(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  own record;
begin
  for sync in select s.* from imago.plan_sync s where s.plan = plan_name and s.installed_at is not null order by s.position loop
    -- Wherever they are: a partition may have been detached since.
    for own in
      select t.tgname, t.tgrelid::pg_catalog.regclass as relation from pg_catalog.pg_trigger t
      where t.tgparentid = 0
        and t.tgfoid in (pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.sync_function(sync.plan, sync.position))),
                         pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.fill_function(sync.plan, sync.position))))
      order by t.tgrelid, t.tgname
    loop
      execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
    end loop;
    execute format('drop function if exists imago_undo.%I()', imago.sync_function(sync.plan, sync.position));
    execute format('drop function if exists imago_undo.%I()', imago.fill_function(sync.plan, sync.position));
    update imago.plan_sync s set installed_at = null where s.plan = plan_name and s.position = sync.position;
  end loop;
end
$$;
comment on function imago.remove_sync(text) is 'Removes the sync triggers of a plan from the app''s tables. Waits for their locks as long as lock_timeout allows.';
