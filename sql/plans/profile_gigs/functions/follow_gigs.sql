create or replace function profile_gigs.follow_gigs(gigs integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  -- The user still has what the gig had.
  select imago.accept_edits(
    'profile_gigs', 'public."Gigs"', '{skills,codingLanguages,yearsOfExperience,certificates}',
    'select g.id, u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0) as "yearsOfExperience", u.certificates
     from public."Gigs" g join public."User" u on u.id = g."userId"
     where g.id = any ($1)',
    gigs)
$$;
comment on function profile_gigs.follow_gigs(integer[]) is 'What the app wrote to these gigs, and is about to be copied to their users, is no conflict: the journal moves along.';
