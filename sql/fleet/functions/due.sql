create or replace function imago_fleet.due(most integer)
returns table (rollout bigint, member text, server text, cap integer, delay_ms bigint)
language sql
stable
set search_path = ''
as $$
  select rm.rollout, rm.member, imago_fleet.server_of(m), (r.options ->> 'per_server')::integer,
    greatest(0, extract(epoch from rm.due_at - pg_catalog.clock_timestamp()) * 1000)::bigint
  from imago_fleet.rollout r
  join imago_fleet.rollout_member rm on rm.rollout = r.id and rm.wave <= r.wave and rm.state in ('pending', 'working', 'waiting')
  join imago_fleet.member m on m.name = rm.member
  where r.state = 'running'
    and (rm.queued_at is null
      or greatest(rm.queued_at, rm.due_at, rm.seen_at) < pg_catalog.clock_timestamp() - interval '60 seconds')
  order by rm.wave, pg_catalog.md5(rm.member)
  limit due.most
$$;

comment on function imago_fleet.due(integer) is 'Members that want a job: those that have none, and those of whose job nobody has heard for a minute. A second job of a member is refused by its queue.';
