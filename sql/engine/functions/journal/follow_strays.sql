create or replace function imago.follow_strays(write imago.plan_write, moved jsonb)
returns void
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
as $$
declare
  declared text := (select w.relation from imago.plan_write w where w.id = write.id);
begin
  update imago.stray_row s set row_key = m.new_key
  from jsonb_to_recordset(moved) m(old_key text[], new_key text[])
  where s.plan = write.plan and s.relation = declared and s.row_key = m.old_key and m.old_key <> m.new_key;
  if write.entity_column is null then
    return;
  end if;
  execute format(
    'insert into imago.stray_row (plan, relation, stage, row_key, entity)
     select distinct $2, $3, $4, m.new_key, o.entity
     from jsonb_to_recordset($1) m(new_key text[], old_entity text, new_entity text)
     cross join lateral (select coalesce(m.old_entity, $5) as entity) o
     join imago_undo.%1$I j on j.entity = o.entity::%2$s and %3$s
     where m.old_entity is distinct from m.new_entity
       and not exists (
         select from imago.stray_row s
         where s.plan = $2 and s.relation = $3 and s.row_key = m.new_key and s.entity = o.entity)',
    write.undo_table, imago.entity_type(write.undo_table),
    imago.each_column('j.key_%1$s = m.new_key[%1$s]::%4$s', write.relation, write.key_columns, ' and '))
  using moved, write.plan, declared, write.stage, imago.nobody(write.undo_table);
end
$$;
comment on function imago.follow_strays(imago.plan_write, jsonb) is 'Notes journaled rows that no longer belong to the entity that their journal names, and has the notes follow their keys.';
