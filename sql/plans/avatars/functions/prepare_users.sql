create or replace function avatars.prepare_users()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.users', 'active_avatar_id') is null then
    perform avatars.add_reference('public.users', 'active_avatar_id', 'users_active_avatar_id_fkey');
    perform avatars.guard_column('public.users', 'active_avatar_id', 'id');
  end if;
end
$$;
comment on function avatars.prepare_users() is 'Prepare step: users.active_avatar_id with foreign key and guard, where the app has no such column. Its own is used as it is.';
