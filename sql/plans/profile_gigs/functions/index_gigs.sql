create or replace function profile_gigs.index_gigs()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  valid boolean := (
    select i.indisvalid from pg_catalog.pg_index i where i.indexrelid = pg_catalog.to_regclass('public."Gigs_profile_gig_key"'));
begin
  if valid then
    return true;
  end if;
  -- Building it blocks writers while the table is read once.
  if not imago.may_hold('public."Gigs"') then
    return false;
  end if;
  drop index if exists public."Gigs_profile_gig_key";
  create unique index "Gigs_profile_gig_key" on public."Gigs" ("userId") where "isProfileGig";
  return true;
end
$$;
comment on function profile_gigs.index_gigs() is 'Prepare step: the unique index behind the promise of one profile gig a user. Where its writers do not wait for that, or not long, it is built here and now.';
