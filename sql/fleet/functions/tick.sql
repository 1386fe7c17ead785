create or replace function imago_fleet.tick(most integer)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('imago_fleet tick', 0)) then
    return '{}';
  end if;
  perform imago_fleet.follow_clock();
  perform imago_fleet.advance(r.id) from imago_fleet.rollout r where r.state = 'running' order by r.id;
  return pg_catalog.jsonb_build_object(
    'is_open', exists (select from imago_fleet.rollout r where r.state = 'running'),
    'due', (select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(d)), '[]') from imago_fleet.due(tick.most) d));
end
$$;

comment on function imago_fleet.tick(integer) is
  'Decides what is due in all rollouts, and gives so many members that want a job; {}: another worker does that at this moment.';
