create or replace function imago.deleted_since(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason_kind text, referenced_by text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  other imago.plan_write;
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    for other in
      select o.* from imago.plan_write o
      where o.deletes and o.undo_table is not null and pg_catalog.to_regclass(o.relation) = pg_catalog.to_regclass(write.relation)
    loop
      return query execute format(
        'with missing as materialized (
           select distinct j.entity::text as entity, %1$s from imago_undo.%2$I j
           where j.entity = any ($1::%3$s[]) and j.op in (''i'', ''u'') and not exists (select from %4$s t where %5$s))
         select m.entity, %6$L::text, concat_ws('','', %7$s), ''deleted''::text, %8$L::text
         from missing m
         where exists (select from imago_undo.%9$I d where d.op = ''d'' and %10$s%11$s)',
        imago.each_column('j.key_%1$s', write.relation, write.key_columns), write.undo_table, imago.kept_type(plan), write.relation,
        imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
        write.relation, imago.each_column('m.key_%1$s', write.relation, write.key_columns), other.plan, other.undo_table,
        imago.each_column('d.key_%1$s = m.key_%1$s', write.relation, write.key_columns, ' and '),
        -- Those of the same entities come back now.
        case when other.id = write.id then format(' and d.entity <> all ($1::%s[])', imago.kept_type(plan)) else '' end)
      using keys;
    end loop;
  end loop;
end
$$;
comment on function imago.deleted_since(imago.plan, text[]) is 'Journaled rows of these entities that were deleted since, by another plan or for another entity. They have to come back first.';
