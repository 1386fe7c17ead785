create or replace function profile_gigs.has_both_sides()
returns boolean
language sql
stable
set search_path = ''
as $$
  select profile_gigs.has_columns('public."Gigs"', 'isProfileGig', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates')
    and profile_gigs.has_columns('public."User"', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates')
$$;
comment on function profile_gigs.has_both_sides() is 'Whether user and gig both have the columns that are kept equal: from prepare until finalize.';
