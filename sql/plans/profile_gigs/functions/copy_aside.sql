create or replace function profile_gigs.copy_aside(keys integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  -- Who is there already was written since the trigger is, so theirs is the newer value.
  insert into profile_gigs.users_aside (id, skills, "codingLanguages", "yearsOfExperience", certificates)
  select u.id, u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates
  from public."User" u
  where u.id = any (keys)
  on conflict (id) do nothing
$$;
comment on function profile_gigs.copy_aside(integer[]) is 'Finalize step that walks: copies these users aside.';
