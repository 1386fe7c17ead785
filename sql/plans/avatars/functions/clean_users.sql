create or replace function avatars.clean_users()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select avatars.clean_column('public.users', 'active_avatar_id', 'id')
$$;
comment on function avatars.clean_users() is 'Clean-up step after a complete rollback: drops users.active_avatar_id if prepare added it and it is empty.';
