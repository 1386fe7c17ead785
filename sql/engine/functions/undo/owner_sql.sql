create or replace function imago.owner_sql(write imago.plan_write, row_name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  owner constant text := coalesce(write.entity_column, write.key_columns[1]);
  kept constant text := imago.entity_type(write.undo_table);
begin
  if not exists (
    select from imago.journal_columns(write.relation, array[owner]) c where c.nullable) then
    return format('%I.%I', row_name, owner);
  end if;
  -- A trigger of the app may write rows that belong to nobody. They are kept under a key that nobody has, for one entity must have all
  -- that became of a row.
  return format('coalesce(%I.%I::%s, %L::%3$s)', row_name, owner, kept, imago.nobody(write.undo_table));
end
$$;
comment on function imago.owner_sql(imago.plan_write, text) is 'SQL: the entity under which the journal has a row (its name in the query) of a declared relation. Where its entity column is null, a key that nobody has.';
