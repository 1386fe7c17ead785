create or replace function avatars.default_values()
returns table (column_name text, expression text, sources text[])
language sql
stable
set search_path = ''
as $$
  with names as (
    select
      avatars.first_column('public.users', 'display_name') as display_name,
      avatars.first_column('public.users', 'username') as username,
      avatars.first_column('public.users', 'bio') as bio,
      avatars.first_column('public.users', 'avatar_url', 'profile_image_url') as image
  )
  select v.column_name, v.expression, array_remove(v.sources, null)
  from names n
  cross join lateral (
    values
      ('id', 'gen_random_uuid()', '{}'::text[]),
      ('owner_user_id', 'u.id', '{id}'),
      ('name', format('coalesce(%s ''Avatar'')', concat(
        case when n.display_name is not null then format('nullif(btrim(u.%I), ''''), ', n.display_name) end,
        case when n.username is not null then format('nullif(btrim(u.%I), ''''), ', n.username) end)), array[n.display_name, n.username]),
      ('bio', case when n.bio is null then '''''::text' else format('coalesce(u.%I, '''')', n.bio) end, array[n.bio]),
      ('avatar_image_url', case when n.image is null then 'null::text' else format('u.%I', n.image) end, array[n.image]),
      ('niche', '''other''::text', '{}'),
      ('personality_traits', 'array[''friendly'', ''creative'']', '{}'),
      ('personality_prompt', '''A friendly and creative persona.''::text', '{}'),
      ('metadata', 'jsonb_build_object(''migrated'', true)', '{}')
  ) v(column_name, expression, sources)
$$;
comment on function avatars.default_values() is 'Columns that a default avatar can fill in this app. Each has its SQL expression over public.users u, and the columns in it.';
