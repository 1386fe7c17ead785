create or replace function profile_gigs.keep_aside()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  drop table if exists profile_gigs.users_aside;
  create table profile_gigs.users_aside as
    select u.id, u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates from public."User" u with no data;
  alter table profile_gigs.users_aside add primary key (id);
  perform imago.close_table('profile_gigs.users_aside');
  comment on table profile_gigs.users_aside is 'The columns of "User" that finalize drops, of all users, until clean-up.';
  -- What is written while the others are copied. It goes with the triggers of Imago.
  create or replace trigger "~imago_aside" after insert or update or delete on public."User"
    for each row execute function profile_gigs.follow_aside();
end
$$;
comment on function profile_gigs.keep_aside() is 'Finalize step: the empty table that the columns of all users are copied to, and the trigger that keeps it equal.';
