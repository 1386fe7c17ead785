create or replace function profile_gigs.written_last(user_id integer, gig_id integer)
returns text
language plpgsql
stable
-- By PostgreSQL's default for its language it costs more than a comparison: asked only where the sides differ. If it cost
-- more than that, the planner would read the whole table of users, to ask less often.
set search_path = ''
as $$
declare
  gigs constant text := 'public."Gigs"';
  failed text;
begin
  -- A profile gig of Imago that is as Imago left it: only the user can have been written since.
  if imago.is_as_written('profile_gigs', gigs, user_id::text, gig_id::text) then
    return 'user';
  end if;
  failed := imago.last_failed_sync('profile_gigs', user_id::text);
  return case when failed = gigs then 'gig' when failed is not null then 'user' end;
end
$$;
comment on function profile_gigs.written_last(integer, integer) is 'Which of a user and their profile gig was written last, where they differ and its sync failed: user or gig. Null when nothing tells.';
