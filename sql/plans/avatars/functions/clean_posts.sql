create or replace function avatars.clean_posts()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  -- Prepare makes it anew.
  drop view if exists avatars.pending;
  select imago.drop_empty_column('avatars', 'public.posts', 'avatar_id')
$$;
comment on function avatars.clean_posts() is 'Clean-up step after a complete rollback: drops posts.avatar_id if prepare added it and it is empty.';
