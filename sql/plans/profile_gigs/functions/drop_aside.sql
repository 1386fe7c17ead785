create or replace function profile_gigs.drop_aside()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  if pg_catalog.to_regclass('profile_gigs.users_aside') is null then
    return null;
  end if;
  drop table profile_gigs.users_aside;
  return jsonb_build_object('warnings', jsonb_build_array('profile_gigs.users_aside, the columns as they were: dropped'));
end
$$;
comment on function profile_gigs.drop_aside() is 'Clean-up step: drops what finalize has kept aside.';
