create or replace function imago.is_fillable(sync imago.plan_sync)
returns boolean
language sql
stable
set search_path = ''
as $$
  select sync.fills is not null
    -- What is filled in is read under a lock.
    and imago.may_lock((imago.plan_at_stage(imago.find_plan(sync.plan), sync.stage)).source)
    -- A statement may name a partition or its parent: other triggers stand around it than around its rows.
    and exists (
      select from pg_catalog.pg_class c
      where c.oid = pg_catalog.to_regclass(sync.relation) and c.relkind = 'r' and not c.relispartition)
    and exists (
      select from imago.plan_write w
      where w.plan = sync.plan and w.undo_table is not null and w.relation::pg_catalog.regclass = pg_catalog.to_regclass(sync.relation)
        and sync.fills = any (w.columns) and w.entity_column = sync.entity_column)
    -- A record is brought to its entity by the statement of the sync.
    and cardinality(imago.key_names(sync.entity_column)) = 1
    -- Their text is the same in whatever formats.
    and (select bool_and(k.type in ('uuid', 'smallint', 'integer', 'bigint', 'text'))
         from imago.journal_columns(sync.relation, imago.primary_key(sync.relation)) k)
$$;
comment on function imago.is_fillable(imago.plan_sync) is 'Whether the column that a sync fills can be set before rows are written. Otherwise its statement sets it afterwards, as without.';
