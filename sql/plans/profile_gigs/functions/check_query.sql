create or replace function profile_gigs.check_query(name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  differing constant text :=
    'select g.id as key, g."userId" as entity from public."Gigs" g join public."User" u on u.id = g."userId"
     where g."isProfileGig"
       and (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
         is distinct from (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
       and profile_gigs.written_last(u.id, g.id) is ';
begin
  if not profile_gigs.has_columns('public."Gigs"', 'isProfileGig')
     or name not in ('freelancers_without_gig', 'two_profile_gigs') and not profile_gigs.has_both_sides() then
    return null;
  end if;
  return case name
    when 'freelancers_without_gig' then
      'select u.id as key, u.id as entity from public."User" u
       where u.role::text = ''freelancer'' and u."isProfileInfoSet"
         and not exists (select from public."Gigs" g where g."userId" = u.id and g."isProfileGig")'
    when 'two_profile_gigs' then
      'select g.id as key, g."userId" as entity from public."Gigs" g
       where g."isProfileGig" and exists (
         select from public."Gigs" o where o."userId" = g."userId" and o."isProfileGig" and o.id < g.id)'
    when 'sides_differ' then differing || 'not null'
    when 'sides_differ_undecided' then differing || 'null'
    when 'values_without_gig' then
      'select u.id as key, u.id as entity from public."User" u
       where (cardinality(u.skills) > 0 or cardinality(u."codingLanguages") > 0 or u."yearsOfExperience" <> 0 or cardinality(u.certificates) > 0)
         and not exists (select from public."Gigs" g where g."userId" = u.id and g."isProfileGig")'
  end;
end
$$;
comment on function profile_gigs.check_query(text) is 'SQL that lists what a check of this plan finds: key and entity. Null before prepare, and where finalize has dropped the columns.';
