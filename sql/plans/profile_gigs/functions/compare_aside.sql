create or replace function profile_gigs.compare_aside(keys integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  insert into profile_gigs.users_aside as a (id, skills, "codingLanguages", "yearsOfExperience", certificates)
  select u.id, u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates
  from public."User" u
  left join profile_gigs.users_aside a on a.id = u.id
  where u.id = any (keys)
    and (a.id is null or (a.skills, a."codingLanguages", a."yearsOfExperience", a.certificates)
      is distinct from (u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates))
  for share of u
  on conflict (id) do update set
    skills = excluded.skills, "codingLanguages" = excluded."codingLanguages",
    "yearsOfExperience" = excluded."yearsOfExperience", certificates = excluded.certificates
$$;
comment on function profile_gigs.compare_aside(integer[]) is 'Finalize step that walks: compares what is kept aside with the columns of these users, and corrects what differs.';
