create or replace function profile_gigs.equalize(keys integer[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  newer integer[];
begin
  perform set_config('search_path', imago.app_search_path(), true);
  update public."Gigs" g
  set skills = u.skills, "codingLanguages" = u."codingLanguages", "yearsOfExperience" = coalesce(u."yearsOfExperience", 0),
    certificates = u.certificates
  from public."User" u
  where u.id = any (keys) and g."userId" = any (keys) and g."userId" = u.id and g."isProfileGig"
    and (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
      is distinct from (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
    and profile_gigs.written_last(u.id, g.id) = 'user';

  newer := array(
    select g.id
    from public."Gigs" g
    join public."User" u on u.id = g."userId"
    where u.id = any (keys) and g."userId" = any (keys) and g."isProfileGig"
      and (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
        is distinct from (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
      and profile_gigs.written_last(u.id, g.id) = 'gig');
  if newer = '{}' then
    return;
  end if;
  perform profile_gigs.follow_gigs(newer);
  update public."User" u
  set skills = g.skills, "codingLanguages" = g."codingLanguages", certificates = g.certificates,
    "yearsOfExperience" = profile_gigs.years(u."yearsOfExperience", g."yearsOfExperience")
  from public."Gigs" g
  where g.id = any (newer) and u.id = g."userId";
end
$$;
comment on function profile_gigs.equalize(integer[]) is 'Does for these users what a sync that failed has left undone.';
