create or replace function avatars.validate_posts()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public.posts', 'posts_avatar_id_fkey')
$$;
comment on function avatars.validate_posts() is 'Direct finalize step: whether the foreign key that prepare added to posts is valid; a small table is validated at once.';
