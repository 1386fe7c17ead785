create or replace function staging_to_production.clean_types()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  added text;
  said jsonb := '[]';
begin
  if imago.is_finalized('staging_to_production') then
    return null;
  end if;
  for added in
    select t.name from staging_to_production.new_types() t
    where imago.is_added('staging_to_production', format('public.%I', t.name))
  loop
    begin
      perform imago.forget_added('staging_to_production', format('public.%I', added));
      execute format('drop type public.%I', added);
    exception when dependent_objects_still_exist then
      said := said || jsonb_build_array(format('type public.%I is used: it stays', added));
    end;
  end loop;
  return jsonb_build_object('warnings', said);
end
$$;
comment on function staging_to_production.clean_types() is 'Clean-up step after a rollback: drops the new enums that nothing uses.';
