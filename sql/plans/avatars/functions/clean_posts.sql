create or replace function avatars.clean_posts()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select avatars.clean_column('public.posts', 'avatar_id', avatars.author_column())
$$;
comment on function avatars.clean_posts() is 'Clean-up step after a complete rollback: drops posts.avatar_id if prepare added it and it is empty.';
