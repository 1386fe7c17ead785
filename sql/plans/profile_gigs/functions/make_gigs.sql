create or replace function profile_gigs.make_gigs(keys integer[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  -- One that the app makes at this moment is as good.
  execute (
    select format(
      'insert into public."Gigs" (%1$s)
       select %1$s from profile_gigs.profile_gig p
       where p."userId" = any (array(
         select u.id from public."User" u
         where u.id = any ($1) and u.role::text = ''freelancer'' and u."isProfileInfoSet"
           and not exists (select from public."Gigs" g where g."userId" = u.id and g."isProfileGig")))
       order by p."userId"
       on conflict ("userId") where "isProfileGig" do nothing',
      string_agg(format('%I', a.attname), ', '))
    from pg_catalog.pg_attribute a
    where a.attrelid = 'profile_gigs.profile_gig'::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped)
  using keys;
end
$$;
comment on function profile_gigs.make_gigs(integer[]) is 'Makes the profile gigs of those of the users who are to have one and have none.';
