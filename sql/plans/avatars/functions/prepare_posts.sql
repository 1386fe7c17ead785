create or replace function avatars.prepare_posts()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.posts', 'avatar_id') is null then
    perform avatars.add_reference('public.posts', 'avatar_id', 'posts_avatar_id_fkey');
    perform avatars.guard_column('public.posts', 'avatar_id', avatars.author_column());
  end if;
end
$$;
comment on function avatars.prepare_posts() is 'Prepare step: posts.avatar_id with foreign key and guard, where the app has no such column; its own is used as it is.';
