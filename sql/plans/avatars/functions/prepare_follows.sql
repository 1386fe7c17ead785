create or replace function avatars.prepare_follows()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.follows', 'avatar_id') is null then
    perform avatars.add_reference('public.follows', 'avatar_id', 'follows_avatar_id_fkey');
    perform avatars.guard_column('public.follows', 'avatar_id', avatars.followed_column());
  end if;
end
$$;
comment on function avatars.prepare_follows() is 'Prepare step: follows.avatar_id with foreign key and guard, where the app has no such column; its own is used as it is.';
