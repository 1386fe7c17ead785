create or replace function profile_gigs.follow_aside()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op <> 'INSERT' and (tg_op = 'DELETE' or old.id <> new.id) then
    delete from profile_gigs.users_aside a where a.id = old.id;
  end if;
  if tg_op <> 'DELETE' then
    insert into profile_gigs.users_aside as a (id, skills, "codingLanguages", "yearsOfExperience", certificates)
    values (new.id, new.skills, new."codingLanguages", new."yearsOfExperience", new.certificates)
    on conflict (id) do update set
      skills = excluded.skills, "codingLanguages" = excluded."codingLanguages",
      "yearsOfExperience" = excluded."yearsOfExperience", certificates = excluded.certificates
    where (a.skills, a."codingLanguages", a."yearsOfExperience", a.certificates)
      is distinct from (excluded.skills, excluded."codingLanguages", excluded."yearsOfExperience", excluded.certificates);
  end if;
  return null;
end
$$;
comment on function profile_gigs.follow_aside() is 'Trigger, while finalize copies: what is written to "User" is written aside as well.';
