create or replace function avatars.index_follows()
returns void
language sql
volatile
set search_path = ''
as $$
  select avatars.index_reference('public.follows', 'avatar_id')
$$;
comment on function avatars.index_follows() is 'Prepare step: the index by which rollback finds what points at an avatar in follows.';
