create or replace function profile_gigs.statistics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  amount bigint := 0;
begin
  if profile_gigs.has_columns('public."Gigs"', 'isProfileGig') then
    select count(*) into amount from public."Gigs" g where g."isProfileGig";
  end if;
  return jsonb_build_object('profile_gigs', amount);
end
$$;
comment on function profile_gigs.statistics() is 'What get_migration_statistics adds for this plan: profile gigs.';
