create or replace function imago.remove_triggers(plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  walk record;
  own record;
begin
  perform imago.remove_sync(plan.name);
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.captured_at is not null order by w.position loop
    -- Wherever they are, by what they call: a partition may have been detached since, a table renamed.
    for own in
      select t.tgname, t.tgrelid::pg_catalog.regclass as relation
      from pg_catalog.pg_trigger t
      where t.tgparentid = 0
        and (t.tgfoid in (select pg_catalog.to_regprocedure(format('imago_undo.%I()', write.undo_table || suffix))
                          from unnest(array['_insert', '_update', '_delete', '_note', '_keep', '_give', '_same']) suffix)
             or t.tgfoid = 'imago.drop_forged_batch()'::pg_catalog.regprocedure and t.tgname = imago.trigger_name(plan.name, 'guard'))
      order by t.tgrelid, t.tgname
    loop
      execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
    end loop;
    update imago.plan_write w set captured_at = null, kept_at = null where w.id = write.id;
  end loop;
  for walk in select imago.walk_function(plan.name, o.stage) as routine from imago.walked_only(plan.name) o where o.is_installed loop
    perform imago.drop_trigger_function(pg_catalog.to_regprocedure(format('imago_undo.%I()', walk.routine)));
  end loop;
  -- Those that steps of the plan have put up by themselves, to follow what is written while they copy.
  for own in
    select t.tgname, t.tgrelid::pg_catalog.regclass as relation
    from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where p.pronamespace = pg_catalog.to_regnamespace(quote_ident(plan.name)) and not t.tgisinternal and t.tgname ~ '^[!~]imago_'
    order by t.tgrelid, t.tgname
  loop
    execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
  end loop;
end
$$;
comment on function imago.remove_triggers(imago.plan) is 'Removes our triggers from the app''s tables: when everything is back, or when finalize closes the way back. The caller bounds the wait for the tables.';
