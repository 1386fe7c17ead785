create or replace function imago.deleting_write(staged imago.plan)
returns imago.plan_write
language sql
stable
set search_path = ''
as $$
  select w from imago.plan_write w
  where w.plan = staged.name and w.stage = staged.stage and w.deletes and w.deleted_entity is null and w.undo_table is not null
    and imago.key_names(w.entity_column) = imago.key_names(staged.key_column) and pg_catalog.to_regclass(w.relation) = pg_catalog.to_regclass(staged.source)
$$;
comment on function imago.deleting_write(imago.plan) is 'The declared write by which a stage deletes its own entities; null where it does not.';
