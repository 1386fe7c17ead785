create or replace function imago_fleet.help(rollout bigint, member text, worker uuid, moved bigint, per_minute bigint)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  insert into imago_fleet.helper as h (worker, rollout, member, moved, per_minute)
  values (help.worker, help.rollout, help.member, help.moved, help.per_minute)
  on conflict on constraint helper_pkey do update
  set moved = h.moved + excluded.moved, per_minute = excluded.per_minute, seen_at = excluded.seen_at;
  return exists (
    select from imago_fleet.rollout_member x join imago_fleet.rollout r on r.id = x.rollout
    where x.rollout = help.rollout and x.member = help.member and x.state = 'working' and r.state = 'running');
end
$$;

comment on function imago_fleet.help(bigint, text, uuid, bigint, bigint) is 'Notes what a helper has moved of a member since it said so last; false: stop.';
