create or replace function profile_gigs.count_aside()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  users bigint;
  aside bigint;
begin
  perform profile_gigs.expect_no_loss();
  -- One statement, one view of both.
  select (select count(*) from public."User"), (select count(*) from profile_gigs.users_aside) into users, aside;
  if users <> aside then
    -- Users who were deleted while they were being copied.
    delete from profile_gigs.users_aside a where not exists (select from public."User" u where u.id = a.id);
    return '{"has_more": true}';
  end if;
  return jsonb_build_object('warnings', jsonb_build_array(format(
    'the columns of all %s users are kept in profile_gigs.users_aside until clean-up', users)));
end
$$;
comment on function profile_gigs.count_aside() is 'Finalize step: as many users are kept aside as there are.';
