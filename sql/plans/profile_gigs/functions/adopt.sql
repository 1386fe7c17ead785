create or replace function profile_gigs.adopt(gigs integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  with filled as (
    update public."Gigs" g
    set skills = coalesce(g.skills, u.skills), "codingLanguages" = coalesce(g."codingLanguages", u."codingLanguages"),
      "yearsOfExperience" = coalesce(nullif(g."yearsOfExperience", 0), u."yearsOfExperience", 0),
      certificates = coalesce(g.certificates, u.certificates)
    from public."User" u
    where g.id = any (gigs) and u.id = g."userId"
    returning g."userId", g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates
  )
  update public."User" u
  set skills = f.skills, "codingLanguages" = f."codingLanguages", certificates = f.certificates,
    "yearsOfExperience" = profile_gigs.years(u."yearsOfExperience", f."yearsOfExperience")
  from filled f
  where u.id = f."userId"
    and (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
      is distinct from (f.skills, f."codingLanguages", f."yearsOfExperience", f.certificates)
$$;
comment on function profile_gigs.adopt(integer[]) is 'A gig that the app has made the profile gig: what it says goes to the user, what it leaves open comes from them.';
