create or replace function imago.remove_sync(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  event text;
begin
  for sync in select s.* from imago.plan_sync s where s.plan = plan_name and s.installed_at is not null order by s.position loop
    foreach event in array sync.events loop
      if pg_catalog.to_regclass(sync.relation) is not null then
        execute format('drop trigger if exists %I on %s', format('~imago_sync_%s_%s_%s', sync.plan, sync.position, event), sync.relation);
      end if;
    end loop;
    execute format('drop function if exists imago_undo.%I()', format('%s_sync_%s', sync.plan, sync.position));
    update imago.plan_sync s set installed_at = null where s.plan = plan_name and s.position = sync.position;
  end loop;
end
$$;
comment on function imago.remove_sync(text) is 'Removes the sync triggers of a plan from the app''s tables. Waits for their locks as long as lock_timeout allows.';
