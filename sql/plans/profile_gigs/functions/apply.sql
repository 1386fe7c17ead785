create or replace function profile_gigs.apply(keys integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  select profile_gigs.make_gigs(keys);
  select profile_gigs.equalize(keys);
$$;
comment on function profile_gigs.apply(integer[]) is 'Moves exactly these users: who is to have a profile gig gets one; where a sync failed the sides become equal.';
