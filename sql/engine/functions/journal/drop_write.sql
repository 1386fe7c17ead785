create or replace function imago.drop_write(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  suffix text;
  own record;
begin
  for own in
    select t.tgname, t.tgrelid::pg_catalog.regclass as relation from pg_catalog.pg_trigger t
    join imago.declared d on d.plan = write.plan and d.relation = write.relation and d.number = 0 and d.relation_id = t.tgrelid
    where t.tgname = imago.trigger_name(write.plan, 'guard') and t.tgparentid = 0
  loop
    execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
  end loop;
  foreach suffix in array array['_insert', '_update', '_delete', '_note', '_keep', '_give', '_same'] loop
    execute format('drop function if exists imago_undo.%I() cascade', write.undo_table || suffix);
  end loop;
  execute format('drop function if exists imago_undo.%I(text, anyarray, boolean, text)', write.undo_table || '_back');
  execute format('drop function if exists imago_undo.%I(anyarray)', write.undo_table || '_lock');
  execute format('drop table imago_undo.%I', write.undo_table);
  execute format('drop sequence if exists imago_undo.%I', write.undo_table || '_seen');
  update imago.plan_write w set points_to = (
    select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(w.points_to) e where e.value <> to_jsonb(write.relation))
  where w.plan = write.plan and w.points_to <> '{}';
  delete from imago.plan_sync s
  where s.plan = write.plan and s.relation = write.relation and pg_catalog.to_regclass(s.relation) is null;
  delete from imago.lost_row l where l.plan = write.plan and l.relation = write.relation;
  delete from imago.stray_row l where l.plan = write.plan and l.relation = write.relation;
  delete from imago.declared d where d.plan = write.plan and d.relation = write.relation
    and not exists (select from imago.plan p where p.name = write.plan and p.source = write.relation)
    and not exists (select from imago.plan_stage t where t.plan = write.plan and t.source = write.relation);
  delete from imago.declared d where d.plan = write.plan and d.relation = write.relation and d.name = any (write.columns);
  delete from imago.plan_write w where w.id = write.id;
end
$$;
comment on function imago.drop_write(imago.plan_write) is 'Takes a table that is lost out of what a plan writes, with its journal and triggers.';
