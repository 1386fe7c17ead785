create or replace function imago.install_undo(write_id integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  plan imago.plan;
  undo text;
  definition text;
  entity_type text;
  is_used boolean;
begin
  select w.* into strict write from imago.plan_write w where w.id = write_id;
  select p.* into strict plan from imago.plan p where p.name = write.plan;
  undo := coalesce(write.undo_table, imago.undo_table_name(write.plan, write.relation));

  if write.entity_column is null then
    if cardinality(imago.primary_key(write.relation)) > 1 then
      perform imago.raise_error('IM044', write.relation, write.plan);
    end if;
    write.stage := (
      select - count(*) from imago.plan_write o where o.plan = write.plan and o.entity_column is null and o.position > write.position);
  end if;
  if write.deletes and pg_catalog.to_regclass(format('imago_undo.%I', undo)) is not null then
    -- Of a run before. The app may have other columns by now.
    execute format('select exists (select from imago_undo.%I)', undo) into is_used;
    if not is_used then
      execute format('drop table imago_undo.%I', undo);
    end if;
  end if;
  update imago.plan_write w set
    undo_table = undo,
    stage = write.stage,
    key_columns = imago.primary_key(write.relation),
    inserted_columns = case when write.inserts then imago.stored_columns(write.relation) else '{}' end,
    deleted_columns = case when not write.deletes then '{}' when is_used then w.deleted_columns else imago.stored_columns(write.relation) end
  where w.id = write_id
  returning * into write;

  select string_agg(format('key_%s %s %s not null', c.ordinal, c.kept, c.collated), ', ') into definition
  from imago.journal_columns(write.relation, write.key_columns) c;
  definition := definition || coalesce((
    select ', ' || string_agg(format('before_%1$s %2$s, after_%1$s %2$s', c.ordinal, c.kept), ', ')
    from imago.journal_columns(write.relation, write.columns) c), '');
  if write.deletes then
    definition := definition || ', width smallint, ' || imago.each_column('old_%1$s %4$s', write.relation, write.deleted_columns);
  end if;
  plan := imago.plan_at_stage(plan, write.stage);
  select case cardinality(imago.key_names(plan.key_column)) when 1 then concat_ws(' ', c.kept, c.collated) else 'text collate "C"' end into entity_type
  from imago.journal_columns(plan.source, imago.key_names(plan.key_column)) c limit 1;

  execute format(
    'create table if not exists imago_undo.%I (batch bigint not null, entity %s not null, op "char" not null, %s, print integer[], side jsonb)',
    undo, entity_type, definition);
  execute format('create index if not exists %I on imago_undo.%I (entity)', left(undo, 50) || '_entity_idx', undo);
  execute format('create index if not exists %I on imago_undo.%I (batch)%s', left(undo, 50) || '_nested_idx', undo,
    -- Of another stage's batch all rows are settled, not only nested ones.
    case when write.stage = 1 and not exists (select from imago.plan_stage t where t.plan = write.plan) then ' where op = ''n''' else '' end);
  execute format('create index if not exists %I on imago_undo.%I (entity) where side is not null', left(undo, 50) || '_side_idx', undo);
  perform imago.close_table(format('imago_undo.%I', undo));
  -- Where a publication has all tables, rows of one without an identity could not be deleted. A key of its own would cost each batch more.
  execute format('alter table imago_undo.%I replica identity full', undo);
  execute format('create sequence if not exists imago_undo.%I', undo || '_seen');
  execute format('comment on sequence imago_undo.%I is %L', undo || '_seen', format(
    'Rows of %s that the capture triggers of plan %s have seen. A sequence, for what a rollback does not turn back: neither does it the server''s count of rows written.',
    write.relation, write.plan));
  execute format('revoke all on imago_undo.%I, imago_undo.%I from public', undo, undo || '_seen');
  execute format('comment on table imago_undo.%I is %L', undo, format(
    'Undo journal of plan %s for %s: before and after of %s. Rows whose op is i were inserted, print being their fingerprint; u were updated, d were deleted and are kept whole. side: undeclared columns that triggers of the app changed, before and after.',
    write.plan, write.relation, coalesce(nullif(array_to_string(write.columns, ', '), ''), case when write.deletes then 'deleted rows' else 'inserted rows' end)));
end
$$;
comment on function imago.install_undo(integer) is 'Generates the typed undo table of one declared write.';
