create or replace function staging_to_production.clear_comments()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  added record;
begin
  for added in
    select t.name from staging_to_production.new_tables() t
    where pg_catalog.obj_description(pg_catalog.to_regclass(format('public.%I', t.name)), 'pg_class') = imago.added_by('staging_to_production')
  loop
    execute format('comment on table public.%I is null', added.name);
  end loop;
  for added in
    select t.name from staging_to_production.new_types() t
    where pg_catalog.obj_description(pg_catalog.to_regtype(format('public.%I', t.name)), 'pg_type') = imago.added_by('staging_to_production')
  loop
    execute format('comment on type public.%I is null', added.name);
  end loop;
end
$$;
comment on function staging_to_production.clear_comments() is 'Finalize step: the new tables and types are the app''s own now; the comments by which clean-up would know them go.';
