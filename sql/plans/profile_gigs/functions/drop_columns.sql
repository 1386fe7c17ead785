create or replace function profile_gigs.drop_columns()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  drop view if exists profile_gigs.pending, profile_gigs.profile_gig;
  alter table public."User"
    drop column if exists skills,
    drop column if exists "codingLanguages",
    drop column if exists "yearsOfExperience",
    drop column if exists certificates;
end
$$;
comment on function profile_gigs.drop_columns() is 'Finalize step that closes the way back: drops the columns that the profile gig holds now. Nothing that stands on them is dropped along.';
