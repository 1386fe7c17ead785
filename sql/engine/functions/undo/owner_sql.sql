create or replace function imago.owner_sql(write imago.plan_write, row_name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  owner constant text[] := imago.key_names(coalesce(write.entity_column, write.key_columns[1]));
  kept constant text := imago.entity_type(write.undo_table);
  entity constant text := imago.entity_sql(write, row_name);
  nullable text;
begin
  select string_agg(format('%s.%I is null', row_name, c.name), ' or ' order by c.ordinal) into nullable
  from imago.journal_columns(write.relation, owner) c where c.nullable;
  if nullable is null then
    return entity;
  end if;
  -- A trigger of the app may write rows that belong to nobody. They are kept under a key that nobody has, for one entity must have all
  -- that became of a row.
  return format('case when %s then %L::%s else %4$s::%3$s end', nullable, imago.nobody(write.undo_table), kept, entity);
end
$$;
comment on function imago.owner_sql(imago.plan_write, text) is 'SQL: the entity under which the journal has a row (its name in the query) of a declared relation. Where its entity column is null, a key that nobody has.';
