create or replace function avatars.prepare_follows()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.follows', 'avatar_id') is null then
    alter table public.follows add column avatar_id uuid;
    perform imago.note_added('avatars', 'public.follows', 'avatar_id');
    -- Not valid: nothing is scanned under the lock, and new references are checked all the same.
    alter table public.follows add constraint follows_avatar_id_fkey
      foreign key (avatar_id) references public.avatars (id) on delete set null not valid;
    perform avatars.guard_column('public.follows', 'avatar_id', avatars.followed_column());
  end if;
end
$$;
comment on function avatars.prepare_follows() is 'Prepare step: follows.avatar_id with foreign key and guard, where the app has no such column; its own is used as it is.';
