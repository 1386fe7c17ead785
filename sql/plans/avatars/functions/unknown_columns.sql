create or replace function avatars.unknown_columns()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'no_value', format('public.avatars.%I', a.attname), 'is not null, has no default, and the plan has no value for it',
    'Give it a default, or create the view avatars.default_avatar yourself with a value for it.'
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass('public.avatars') and a.attnum > 0 and not a.attisdropped
    and a.attnotnull and not a.atthasdef and a.attidentity = ''
    and a.attname not in (select v.column_name from avatars.default_values() v)
    and avatars.first_column('avatars.default_avatar', a.attname) is null
$$;
comment on function avatars.unknown_columns() is 'Columns of an existing avatars table that must have a value and for which the default avatar has none.';
