create or replace function avatars.unfit_columns()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select c.severity, c.kind, c.object, c.message,
    c.hint || ' Or create the view avatars.default_avatar yourself with a value that fits.'
  from (
    values
      ('bio', '{text}'::text[]), ('avatar_image_url', '{text}'), ('niche', '{text}'), ('personality_prompt', '{text}'),
      ('personality_traits', '{text[]}')
  ) v(name, types)
  join pg_catalog.pg_attribute a
    on a.attrelid = pg_catalog.to_regclass('public.avatars') and a.attname = v.name and not a.attisdropped
  join pg_catalog.pg_type t on t.oid = a.atttypid
  cross join lateral imago.column_problems('public.avatars', v.name, v.types) c
  where avatars.first_column('avatars.default_avatar', 'owner_user_id') is null
    and not (v.types = '{text}' and t.typcategory = 'S')
    and not (v.types = '{text[]}' and t.typcategory = 'A' and t.typelem in (
      select e.oid from pg_catalog.pg_type e where e.typcategory = 'S'))
$$;
comment on function avatars.unfit_columns() is 'Columns of an existing avatars table whose type cannot hold what the default avatar has for them.';
