create or replace function profile_gigs.copy_aside()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  size constant integer := 10000;
  reached integer := (select coalesce(c.last_id, -2147483648) from profile_gigs.aside_cursor c);
  amount integer;
begin
  with users as (
    select u.id, u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates
    from public."User" u
    where u.id > reached
    order by u.id
    limit size
  ), copied as (
    -- Who is there already was written since the trigger is, so his is the newer value.
    insert into profile_gigs.users_aside select * from users on conflict (id) do nothing
  )
  select max(u.id), count(*) into reached, amount from users u;
  update profile_gigs.aside_cursor c set last_id = coalesce(reached, c.last_id) where true;
  return jsonb_build_object('has_more', amount = size);
end
$$;
comment on function profile_gigs.copy_aside() is 'Finalize step: copies the next users aside.';
