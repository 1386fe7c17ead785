create or replace function imago.note_strays(write imago.plan_write, entities text[])
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set enable_seqscan = off
as $$
begin
  execute format(
    'insert into imago.stray_row (plan, relation, stage, row_key, entity)
     select distinct w.plan, w.relation, w.stage, array[%1$s], j.entity::text
     from imago.plan_write w, imago_undo.%2$I j
     where w.id = $2 and j.entity = any ($1::%3$s[])
       and not exists (
         select from imago.stray_row s
         where s.plan = w.plan and s.relation = w.relation and s.row_key = array[%1$s] and s.entity = j.entity::text)',
    imago.each_column('j.key_%1$s::text', write.relation, write.key_columns), write.undo_table, imago.entity_type(write.undo_table))
  using entities, write.id;
end
$$;
comment on function imago.note_strays(imago.plan_write, text[]) is 'Notes the journaled rows of entities that got new keys. The rows name them as before, for no foreign key has followed.';
