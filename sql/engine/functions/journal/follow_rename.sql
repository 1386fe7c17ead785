create or replace function imago.follow_rename(plan_name text, move_relation text, name text, becomes text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  parts text[] := case when name is null then parse_ident(becomes) end;
  write imago.plan_write;
begin
  if name is null then
    update imago.plan p set source_schema = parts[1], source_table = parts[2] where p.name = plan_name and p.source = move_relation;
    update imago.plan_stage t set source_schema = parts[1], source_table = parts[2] where t.plan = plan_name and t.source = move_relation;
    update imago.plan_write w set points_to = (
      select jsonb_object_agg(e.key, case when e.value = move_relation then becomes else e.value end) from jsonb_each_text(w.points_to) e)
    where w.plan = plan_name and exists (select from jsonb_each_text(w.points_to) e where e.value = move_relation);
    update imago.plan_write w set relation = becomes where w.plan = plan_name and w.relation = move_relation;
    update imago.plan_sync s set relation = becomes where s.plan = plan_name and s.relation = move_relation;
    update imago.lost_row l set relation = becomes where l.plan = plan_name and l.relation = move_relation;
    update imago.stray_row l set relation = becomes where l.plan = plan_name and l.relation = move_relation;
    update imago.declared d set relation = becomes where d.plan = plan_name and d.relation = move_relation;
    return;
  end if;
  update imago.plan p set key_column = imago.renamed_key(p.key_column, follow_rename.name, becomes) where p.name = plan_name and p.source = move_relation;
  update imago.plan_stage t set key_column = imago.renamed_key(t.key_column, follow_rename.name, becomes) where t.plan = plan_name and t.source = move_relation;
  update imago.plan_write w set
    entity_column = imago.renamed_key(w.entity_column, follow_rename.name, becomes),
    columns = array_replace(w.columns, follow_rename.name, becomes),
    key_columns = array_replace(w.key_columns, follow_rename.name, becomes),
    inserted_columns = array_replace(w.inserted_columns, follow_rename.name, becomes),
    deleted_columns = array_replace(w.deleted_columns, follow_rename.name, becomes),
    left_unindexed = array_replace(w.left_unindexed, follow_rename.name, becomes),
    points_to = case when w.points_to ? follow_rename.name
      then w.points_to - follow_rename.name || jsonb_build_object(becomes, w.points_to -> follow_rename.name) else w.points_to end
  where w.plan = plan_name and w.relation = move_relation
  returning * into write;
  update imago.plan_sync s set
    entity_column = imago.renamed_key(s.entity_column, follow_rename.name, becomes),
    fills = case s.fills when follow_rename.name then becomes else s.fills end,
    columns = array_replace(s.columns, follow_rename.name, becomes)
  where s.plan = plan_name and s.relation = move_relation;
  if write.undo_table is not null then
    execute format(
      'update imago_undo.%I set side = side - $1 || jsonb_build_object($2, side -> $1) where side ? $1', write.undo_table)
    using follow_rename.name, becomes;
  end if;
end
$$;
comment on function imago.follow_rename(text, text, text, text) is 'Has a plan''s declaration and journal follow a table (name null) or column that was renamed. A table may have moved to another schema.';
