create or replace function imago.keep_deleted(plan text, relation text, entities text[], row_keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write := (select w from imago.plan_write w where w.plan = keep_deleted.plan and w.relation = keep_deleted.relation);
begin
  if write.undo_table is null or not write.deletes then
    return;
  end if;
  execute format('delete from imago_undo.%I j where j.entity = any ($1::%s[]) and j.op = ''d'' and concat_ws('','', %s) = any ($2)',
    write.undo_table, imago.entity_type(write.undo_table), imago.each_column('j.key_%1$s', relation, write.key_columns))
  using imago.kept_entities(write, entities), row_keys;
end
$$;
comment on function imago.keep_deleted(text, text, text[], text[]) is 'For plans: has the journal forget deleted rows of these entities, by their keys. They do not come back. For a sync that hears the app delete what the plan has made of them; a key of several columns is written with commas.

Example: select imago.keep_deleted(''archive'', ''public.posts'', ''{12}'', ''{7,8}'')';
