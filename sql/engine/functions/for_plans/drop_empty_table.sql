create or replace function imago.drop_empty_table(plan_name text, relation text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  holds boolean;
begin
  if pg_catalog.obj_description(pg_catalog.to_regclass(relation), 'pg_class') is null
     or pg_catalog.obj_description(pg_catalog.to_regclass(relation), 'pg_class') not like '%' || imago.added_by(plan_name) || '%' then
    return null;
  end if;
  execute format('lock table %s in access exclusive mode', relation);
  execute format('select exists (select from %s)', relation) into holds;
  if holds then
    return jsonb_build_object('warnings', jsonb_build_array(format('%s holds rows: it stays', relation)));
  end if;
  -- Not cascading: what still refers to it keeps it.
  execute format('drop table %s', relation);
  return jsonb_build_object('warnings', jsonb_build_array(format('%s was empty: dropped', relation)));
exception when dependent_objects_still_exist then
  return jsonb_build_object('warnings', jsonb_build_array(format('%s is referred to: it stays', relation)));
end
$$;
comment on function imago.drop_empty_table(text, text) is 'For clean-up steps: drops a table whose comment says that the plan added it, when it is empty and nothing refers to it; says what became of it.';
