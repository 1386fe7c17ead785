create or replace function avatars.index_reference(relation text, name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing jsonb := (select to_jsonb(w) from imago.index_warning(relation, name, 'rollback') w);
begin
  if missing is null then
    return;
  end if;
  -- Building blocks writers while the table is read once: about a second for 1 GB. A larger table is left to the statement
  -- that does not block, which the warning names.
  if pg_catalog.pg_total_relation_size(relation) < 1024 * 1024 * 1024::bigint then
    execute format('create index on %s (%I) where %2$I is not null', relation, name);
  else
    perform imago.write_log('avatars', null, 'warning', 'preflight', missing);
  end if;
end
$$;
comment on function avatars.index_reference(text, text) is 'Creates the index on a column that points at avatars, where it is missing and the table is below 1 GB.';
