create or replace function imago.writes_now(plan_name text, renamed boolean)
returns imago.plan_write[]
language plpgsql
stable
set search_path = ''
as $$
declare
  writes imago.plan_write[] := array(select w from imago.plan_write w where w.plan = plan_name and w.undo_table is not null order by w.position);
  write imago.plan_write;
  result imago.plan_write[] := '{}';
begin
  if not renamed then
    return writes;
  end if;
  foreach write in array writes loop
    write.entity_column := case when write.entity_column is not null then imago.key_now(plan_name, write.relation, write.entity_column) end;
    write.key_columns := array(select imago.name_now(plan_name, write.relation, c) from unnest(write.key_columns) with ordinality u(c, n) order by n);
    write.columns := array(select imago.name_now(plan_name, write.relation, c) from unnest(write.columns) with ordinality u(c, n) order by n);
    write.inserted_columns := array(
      select case c when '' then '' else imago.name_now(plan_name, write.relation, c) end from unnest(write.inserted_columns) with ordinality u(c, n) order by n);
    write.deleted_columns := array(
      select case c when '' then '' else imago.name_now(plan_name, write.relation, c) end from unnest(write.deleted_columns) with ordinality u(c, n) order by n);
    write.relation := imago.name_now(plan_name, write.relation);
    result := result || write;
  end loop;
  return result;
end
$$;
comment on function imago.writes_now(text, boolean) is 'The journaled writes of a plan, with tables and columns as they are called now. Where none was renamed (is_renamed), as declared.';
