create or replace function profiles.prepare()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A profile does not tell who made it.
  create table if not exists profiles.given (entity uuid primary key references public.profiles on update cascade on delete cascade);
  comment on table profiles.given is 'Users who got their profile from the plan.';
  create or replace view profiles.pending as
    select u.id as entity from auth.users u
    where not exists (select from public.profiles p where p.id = u.id);
  comment on view profiles.pending is 'Users without a profile.';
  create or replace view profiles.concerned as
    select p.entity from profiles.pending p
    union all
    select g.entity from profiles.given g;
  comment on view profiles.concerned is 'Users without a profile, and those who had none: all others do not count as migrated.';
end
$$;
comment on function profiles.prepare() is 'Prepare step: the list of profiles that the plan makes, and the views. The tables of the app stay as they are.';
