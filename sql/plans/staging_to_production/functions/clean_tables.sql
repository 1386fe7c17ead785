create or replace function staging_to_production.clean_tables()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  added record;
  said jsonb := '[]';
begin
  if imago.is_finalized('staging_to_production') then
    return null;
  end if;
  for added in select t.name from staging_to_production.new_tables() t order by t.number desc loop
    said := said || coalesce(imago.drop_empty_table('staging_to_production', format('public.%I', added.name)) -> 'warnings', '[]');
  end loop;
  return jsonb_build_object('warnings', said);
end
$$;
comment on function staging_to_production.clean_tables() is 'Clean-up step after a rollback: drops the new tables that are empty.';
