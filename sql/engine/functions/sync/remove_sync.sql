create or replace function imago.remove_sync(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
begin
  for sync in select s.* from imago.plan_sync s where s.plan = plan_name and s.installed_at is not null order by s.position loop
    perform imago.drop_trigger_function(pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.sync_function(sync.plan, sync.position))));
    perform imago.drop_trigger_function(pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.fill_function(sync.plan, sync.position))));
    update imago.plan_sync s set installed_at = null where s.plan = plan_name and s.position = sync.position;
  end loop;
end
$$;
comment on function imago.remove_sync(text) is 'Removes the sync triggers of a plan from the app''s tables. Waits for their locks as long as lock_timeout allows.';
