create or replace function staging_to_production.prepare_tables()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing record;
begin
  select t.* into missing
  from staging_to_production.new_tables() t
  where pg_catalog.to_regclass(format('public.%I', t.name)) is null
  order by t.number
  limit 1;
  if not found then
    return '{"has_more": false}';
  end if;
  execute format('create table public.%I (%s)', missing.name, missing.definition);
  perform imago.note_added('staging_to_production', format('public.%I', missing.name));
  if missing.unique_keys <> '{}' then
    execute format('create unique index %I on public.%I (%s)',
      format('%s_%s_key', missing.name, array_to_string(missing.unique_keys, '_')), missing.name,
      (select string_agg(quote_ident(k), ', ') from unnest(missing.unique_keys) k));
  end if;
  perform imago.show_as(s.relation, s.source, s.link, s.origins)
  from staging_to_production.sources() s where s.relation = format('public.%I', missing.name);
  return '{"has_more": true}';
end
$$;
comment on function staging_to_production.prepare_tables() is 'Prepare step: creates the next of the new tables that is missing, one a call. Each is as visible as where its rows come from.';
