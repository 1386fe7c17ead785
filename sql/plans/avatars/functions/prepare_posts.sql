create or replace function avatars.prepare_posts()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.posts', 'avatar_id') is null then
    alter table public.posts add column avatar_id uuid;
    perform imago.note_added('avatars', 'public.posts', 'avatar_id');
    -- Not valid: nothing is scanned under the lock, and new references are checked all the same.
    alter table public.posts add constraint posts_avatar_id_fkey
      foreign key (avatar_id) references public.avatars (id) on delete set null not valid;
    perform avatars.guard_column('public.posts', 'avatar_id', avatars.author_column());
  end if;
end
$$;
comment on function avatars.prepare_posts() is 'Prepare step: posts.avatar_id with foreign key and guard, where the app has no such column; its own is used as it is.';
