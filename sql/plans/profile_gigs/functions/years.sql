create or replace function profile_gigs.years(of_user integer, of_gig integer)
returns integer
language sql
immutable
set search_path = ''
as $$
  select case when coalesce(of_user, 0) = of_gig then of_user else of_gig end
$$;
comment on function profile_gigs.years(integer, integer) is 'Years of experience of a user whose gig has these: a gig cannot tell none from 0, so none stays none.';
