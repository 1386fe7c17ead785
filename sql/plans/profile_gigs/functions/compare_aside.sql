create or replace function profile_gigs.compare_aside()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  size constant integer := 10000;
  mended integer;
  users bigint;
  aside bigint;
begin
  perform profile_gigs.expect_no_loss();
  delete from profile_gigs.users_aside a where not exists (select from public."User" u where u.id = a.id);
  insert into profile_gigs.users_aside as a (id, skills, "codingLanguages", "yearsOfExperience", certificates)
  select u.id, u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates
  from public."User" u
  left join profile_gigs.users_aside a on a.id = u.id
  where a.id is null
    or (a.skills, a."codingLanguages", a."yearsOfExperience", a.certificates)
      is distinct from (u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates)
  limit size
  for share of u
  on conflict (id) do update set
    skills = excluded.skills, "codingLanguages" = excluded."codingLanguages",
    "yearsOfExperience" = excluded."yearsOfExperience", certificates = excluded.certificates;
  get diagnostics mended = row_count;
  -- One statement, one view of both.
  select (select count(*) from public."User"), (select count(*) from profile_gigs.users_aside) into users, aside;
  if mended > 0 or users <> aside then
    return '{"has_more": true}';
  end if;
  drop table profile_gigs.aside_cursor;
  return jsonb_build_object('warnings', jsonb_build_array(format(
    'the columns of all %s users are kept in profile_gigs.users_aside until clean-up', users)));
end
$$;
comment on function profile_gigs.compare_aside() is 'Finalize step: goes on until what is kept aside equals the columns of all users, row by row, and is as many.';
