create or replace function imago.kept_assignments(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(format('new.%1$s := old.%1$s;', imago.quoted_name(c)), ' ')
  from unnest(imago.touch_columns(write.relation, write.columns)) c
  where write.columns <> '{}'
$$;
comment on function imago.kept_assignments(imago.plan_write) is 'PL/pgSQL that leaves the updated_at-like columns of a row as they were; null where there are none.';
