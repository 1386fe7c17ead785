create or replace function imago.partition_problems(relation text, purpose text)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'partitioned', relation, 'is partitioned', purpose
  from pg_catalog.pg_class c
  where c.oid = pg_catalog.to_regclass(relation) and c.relkind = 'p'
$$;
comment on function imago.partition_problems(text, text) is 'For plans: an error where a table is partitioned. purpose says what cannot be done there.

Example: select * from imago.partition_problems(''public.avatars'', ''It could have no unique index.'')';
