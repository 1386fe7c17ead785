create or replace function profile_gigs.prepare_views()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if pg_catalog.to_regclass('profile_gigs.profile_gig') is null then
    execute (
      select format('create view profile_gigs.profile_gig as select %s from public."User" u',
                    string_agg(format('%s as %I', v.expression, v.column_name), ', '))
      from profile_gigs.gig_values() v
      where profile_gigs.has_columns('public."Gigs"', v.column_name));
    comment on view profile_gigs.profile_gig is 'What a profile gig holds: "userId" and any columns of "Gigs", one row a user. Replace it to get other texts; skills, languages, years and certificates have to be the user''s.';
  end if;

  create or replace view profile_gigs.concerned as
    select u.id as entity from public."User" u where u.role::text = 'freelancer' and u."isProfileInfoSet"
    union
    select g."userId" from public."Gigs" g where g."isProfileGig" and g."userId" is not null;
  comment on view profile_gigs.concerned is 'Freelancers whose profile is set, and users who have a profile gig: all others do not count as migrated.';

  create or replace view profile_gigs.pending as
    select u.id as entity
    from public."User" u
    where u.role::text = 'freelancer' and u."isProfileInfoSet"
      and not exists (select from public."Gigs" g where g."userId" = u.id and g."isProfileGig")
    union all
    select g."userId"
    from public."Gigs" g
    join public."User" u on u.id = g."userId"
    where g."isProfileGig"
      and (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
        is distinct from (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
      and profile_gigs.written_last(u.id, g.id) is not null;
  comment on view profile_gigs.pending is 'Freelancers who have yet to get a profile gig, and users whose sides differ because a sync failed.';
end
$$;
comment on function profile_gigs.prepare_views() is 'Prepare step: the views profile_gig (kept if somebody made their own), concerned and pending.';
