create or replace function avatars.clean_follows()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select avatars.clean_column('public.follows', 'avatar_id', avatars.followed_column())
$$;
comment on function avatars.clean_follows() is 'Clean-up step after a complete rollback: drops follows.avatar_id if prepare added it and it is empty.';
