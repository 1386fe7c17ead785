create or replace function staging_to_production.prepare_types()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing record;
begin
  for missing in
    select t.* from staging_to_production.new_types() t where pg_catalog.to_regtype(format('public.%I', t.name)) is null
  loop
    execute format('create type public.%I as enum (%s)', missing.name, (select string_agg(quote_literal(l), ', ') from unnest(missing.labels) l));
    perform imago.note_added('staging_to_production', format('public.%I', missing.name));
  end loop;
end
$$;
comment on function staging_to_production.prepare_types() is 'Prepare step: the new enums. "Role" keeps its name until finalize: no second name would compare with it.';
