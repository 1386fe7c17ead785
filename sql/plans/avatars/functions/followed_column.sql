create or replace function avatars.followed_column()
returns text
language sql
stable
set search_path = ''
as $$
  select avatars.first_column('public.follows', 'followed_id', 'following_id', 'followed_user_id')
$$;
comment on function avatars.followed_column() is 'The column of follows that names the followed user, or null: such follows are avatar-based already.';
