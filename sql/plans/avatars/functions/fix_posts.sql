create or replace function avatars.fix_posts(keys uuid[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  select avatars.fix_rows('public.posts', avatars.author_column(), keys)
$$;
comment on function avatars.fix_posts(uuid[]) is 'Fix: posts with a wrong avatar get that of their author.';
