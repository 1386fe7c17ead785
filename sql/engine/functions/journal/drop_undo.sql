create or replace function imago.drop_undo(plan_name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  suffix text;
  result jsonb;
begin
  select jsonb_build_object('undo_tables', count(*), 'bytes_freed', coalesce(sum(u.bytes), 0)) into result from imago.undo_bytes(plan_name) u;
  for write in select w.* from imago.plan_write w where w.plan = plan_name and w.undo_table is not null loop
    execute format('drop table if exists imago_undo.%I', write.undo_table);
    execute format('drop sequence if exists imago_undo.%I', write.undo_table || '_seen');
    foreach suffix in array array['_insert', '_update', '_delete', '_note', '_keep', '_give', '_same'] loop
      execute format('drop function if exists imago_undo.%I()', write.undo_table || suffix);
    end loop;
    execute format('drop function if exists imago_undo.%I(text, anyarray, boolean, text)', write.undo_table || '_back');
    execute format('drop function if exists imago_undo.%I(anyarray)', write.undo_table || '_lock');
    update imago.plan_write w set undo_table = null where w.id = write.id;
  end loop;
  delete from imago.failure f where f.plan = plan_name and f.kind = 'forgotten';
  delete from imago.sync_failure s where s.plan = plan_name;
  delete from imago.lost_row l where l.plan = plan_name;
  delete from imago.stray_row l where l.plan = plan_name;
  return result;
end
$$;
comment on function imago.drop_undo(text) is 'Drops the undo tables of a plan with the functions that filled them; says how many and how much space they took.';
