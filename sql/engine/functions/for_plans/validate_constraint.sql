create or replace function imago.validate_constraint(relation text, name text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  valid boolean;
begin
  select c.convalidated into valid
  from pg_catalog.pg_constraint c
  where c.conrelid = pg_catalog.to_regclass(relation) and c.conname = name;
  if coalesce(valid, true) then
    return true;
  end if;
  if imago.is_large(relation) then
    return false;
  end if;
  perform set_config('search_path', imago.app_search_path(), true);
  execute format('alter table %s validate constraint %I', relation, name);
  perform pg_catalog.set_config('search_path', '', true);
  return true;
end
$$;
comment on function imago.validate_constraint(text, text) is 'For plans: a direct step''s routine: whether a constraint is valid, or is not there. A table below direct_mb is validated here and now. Validating blocks neither readers nor writers.

Example: select imago.validate_constraint(''public.posts'', ''posts_avatar_id_fkey'')';
