create or replace function avatars.validate_users()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public.users', 'users_active_avatar_id_fkey')
$$;
comment on function avatars.validate_users() is 'Direct finalize step: whether the foreign key that prepare added to users is valid; a small table is validated at once.';
