create or replace function avatars.index_users()
returns void
language sql
volatile
set search_path = ''
as $$
  select avatars.index_reference('public.users', 'active_avatar_id')
$$;
comment on function avatars.index_users() is 'Prepare step: the index by which rollback finds what points at an avatar in users.';
