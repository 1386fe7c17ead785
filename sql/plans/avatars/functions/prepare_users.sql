create or replace function avatars.prepare_users()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.users', 'active_avatar_id') is null then
    alter table public.users add column active_avatar_id uuid;
    perform imago.note_added('avatars', 'public.users', 'active_avatar_id');
    -- Not valid: nothing is scanned under the lock, and new references are checked all the same.
    alter table public.users add constraint users_active_avatar_id_fkey
      foreign key (active_avatar_id) references public.avatars (id) on delete set null not valid;
    perform avatars.guard_column('public.users', 'active_avatar_id', 'id');
  end if;
end
$$;
comment on function avatars.prepare_users() is 'Prepare step: users.active_avatar_id with foreign key and guard, where the app has no such column; its own is used as it is.';
