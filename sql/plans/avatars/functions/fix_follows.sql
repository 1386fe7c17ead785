create or replace function avatars.fix_follows(keys uuid[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  select avatars.fix_rows('public.follows', avatars.followed_column(), keys)
$$;
comment on function avatars.fix_follows(uuid[]) is 'Fix: follows with a wrong avatar get that of the followed user.';
