create or replace function avatars.author_column()
returns text
language sql
stable
set search_path = ''
as $$
  select avatars.first_column('public.posts', 'user_id', 'author_id')
$$;
comment on function avatars.author_column() is 'The column of posts that names the author, or null: then posts stay as they are, for manual review.';
