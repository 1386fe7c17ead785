create or replace function profile_gigs.written_last(user_id integer, gig_id integer)
returns text
language plpgsql
stable
-- Asked only where the sides differ, whatever the planner thinks of the order of conditions.
cost 1000000
set search_path = ''
as $$
declare
  gigs constant text := 'public."Gigs"';
begin
  -- A profile gig of Imago that is as Imago left it: only the user can have been written since.
  if imago.is_journaled('profile_gigs', gigs, user_id::text)
     and not exists (
       select from imago.edited_rows(imago.find_plan('profile_gigs'), array[user_id::text]) e
       where e.relation = gigs and e.row_key = gig_id::text) then
    return 'user';
  end if;
  return (
    select case l.detail ->> 'relation' when gigs then 'gig' else 'user' end
    from imago.log l
    where l.plan = 'profile_gigs' and l.entity = user_id::text and l.event = 'sync_failed'
    order by l.id desc
    limit 1);
end
$$;
comment on function profile_gigs.written_last(integer, integer) is 'Of a user and their profile gig that differ, the one that was written last and whose sync failed: user or gig; null when nothing tells.';
