create or replace function imago.writes_now(plan_name text)
returns setof imago.plan_write
language plpgsql
stable
set search_path = ''
as $$
declare
  write imago.plan_write;
  declared text;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan_name and w.undo_table is not null order by w.position loop
    declared := write.relation;
    write.relation := imago.name_now(plan_name, declared);
    write.entity_column := case when write.entity_column is not null then imago.name_now(plan_name, declared, write.entity_column) end;
    write.key_columns := array(select imago.name_now(plan_name, declared, c) from unnest(write.key_columns) with ordinality u(c, n) order by n);
    write.columns := array(select imago.name_now(plan_name, declared, c) from unnest(write.columns) with ordinality u(c, n) order by n);
    write.inserted_columns := array(
      select case c when '' then '' else imago.name_now(plan_name, declared, c) end from unnest(write.inserted_columns) with ordinality u(c, n) order by n);
    return next write;
  end loop;
end
$$;
comment on function imago.writes_now(text) is 'The journaled writes of a plan, with tables and columns as they are called now.';
