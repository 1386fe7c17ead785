create or replace function imago.referenced_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason_kind text, referenced_by text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  removed imago.plan_write;
  reference record;
  other imago.plan_write;
  condition text;
  journal text;
begin
  for removed in select w.* from imago.stage_writes(plan) w where w.inserts loop
    for reference in select p.* from imago.referencing_columns(plan.name, removed.relation) p loop
      if (reference.pointing).id is not null and plan.stage > 0 then
        -- A declared column: rows that this rollback restores or detaches do not count, rows that stay with another entity do.
        journal := format(
          'select from imago_undo.%I o where o.entity = %s and %s', (reference.pointing).undo_table, imago.entity_sql(reference.pointing, 'r'),
          imago.each_column('o.key_%1$s = r.%2$I::%4$s', reference.relation, (reference.pointing).key_columns, ' and '));
        -- Journaled rows of the entities that go back are restored; only those of others are looked up, entity by entity.
        condition := case when (reference.pointing).stage = plan.stage
          then format('(%s <> all ($1::%s[]) and exists (%s))', imago.entity_sql(reference.pointing, 'r'), imago.kept_type(plan), journal)
          else format('exists (%s)', journal) end;
        if not (select c.nullable from imago.journal_columns(reference.relation, reference.columns) c) then
          condition := format('(%s or not exists (%s))', condition, journal);
        end if;
      else
        -- Rows that go with the same entities do not count. To a row that several entities share, nothing may refer.
        select w.* into other from imago.stage_writes(plan) w
        where w.inserts
          and w.relation::pg_catalog.regclass = coalesce(
            pg_catalog.pg_partition_root(reference.relation::pg_catalog.regclass), reference.relation::pg_catalog.regclass);
        condition := case when other.id is null then 'true' else format(
          'not exists (select from imago_undo.%I o where o.entity = any ($1::%s[]) and o.op = ''i'' and %s)',
          other.undo_table, imago.kept_type(plan),
          imago.each_column('o.key_%1$s = r.%2$I::%4$s', other.relation, other.key_columns, ' and ')) end;
      end if;
      return query execute format(
        'with referring as materialized (
           select r.* from %7$s r
           where r.%11$I = any (array(select k.%12$I from imago_undo.%4$I i join %5$s k on %13$s
                                      where i.entity = any ($1::%9$s[]) and i.op = ''i''))
         )
         select distinct i.entity::text, %1$L::text, concat_ws('','', %2$s), ''referenced''::text, %3$L::text
         from imago_undo.%4$I i join %5$s t on %6$s join referring r on %8$s
         where i.entity = any ($1::%9$s[]) and i.op = ''i'' and %10$s',
        removed.relation, imago.each_column('i.key_%1$s', removed.relation, removed.key_columns),
        reference.relation, removed.undo_table, removed.relation,
        imago.each_column('t.%2$I = i.key_%1$s::%3$s', removed.relation, removed.key_columns, ' and '),
        reference.relation,
        (select string_agg(format('r.%I = t.%I', c, reference.target_columns[n]), ' and ')
         from unnest(reference.columns) with ordinality u(c, n)),
        imago.kept_type(plan), condition,
        -- As in expect_unreferenced: one index look-up for each removed row, whatever the statistics.
        reference.columns[1], reference.target_columns[1],
        imago.each_column('k.%2$I = i.key_%1$s::%3$s', removed.relation, removed.key_columns, ' and '))
      using keys;
    end loop;
  end loop;
end
$$;
comment on function imago.referenced_rows(imago.plan, text[]) is 'Inserted rows of these entities that something else refers to, so that removing them would cascade or fail.';
