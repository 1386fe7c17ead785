create or replace function imago_fleet.progress(rollout bigint)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  r imago_fleet.rollout;
  now_at constant timestamptz := pg_catalog.clock_timestamp();
  since timestamptz;
  sums record;
  estimate numeric;
  rate numeric;
  seconds numeric;
begin
  select * into r from imago_fleet.rollout x where x.id = progress.rollout;
  if not found then
    perform imago_fleet.refuse('FL001', pg_catalog.format('There is no rollout %s.', progress.rollout), 'imago fleet status shows the newest.');
  end if;
  -- The last minute, or what there is of it.
  since := greatest(now_at - interval '1 minute', r.created_at);
  seconds := greatest(1, extract(epoch from now_at - since));
  select
    count(*) as members,
    count(*) filter (where x.state = 'pending') as pending,
    count(*) filter (where x.state = 'working') as working,
    count(*) filter (where x.state = 'waiting') as waiting,
    count(*) filter (where x.state = 'succeeded') as succeeded,
    count(*) filter (where x.state = 'failed') as failed,
    count(*) filter (where x.state = 'skipped') as skipped,
    coalesce(sum(x.moved), 0) as moved,
    coalesce(sum(x.remaining) filter (where x.state not in ('failed', 'skipped')), 0) as remaining,
    count(*) filter (where x.remaining is null and x.state in ('pending', 'working', 'waiting')) as uncounted,
    avg(x.moved + x.remaining) filter (where x.remaining is not null) as usual,
    count(*) filter (where x.ended_at > since and x.state = 'succeeded') as ended,
    coalesce(sum(least(x.moved, x.per_minute / 60.0 * least(seconds, x.worked_ms / 1000.0))) filter (where x.seen_at > since), 0)
      + (select coalesce(sum(h.per_minute / 60.0 * seconds), 0) from imago_fleet.helper h
         where h.rollout = r.id and h.seen_at > now_at - interval '5 seconds') as lately
  into sums
  from imago_fleet.rollout_member x where x.rollout = r.id;
  estimate := sums.remaining + sums.uncounted * coalesce(sums.usual, 0);
  rate := case when r.state = 'running' then round(sums.lately * 60 / seconds) else 0 end;
  return pg_catalog.jsonb_build_object(
    'rollout', r.id, 'kind', r.kind, 'plan', r.plan, 'state', r.state, 'code', r.code, 'reason', r.reason,
    'options', r.options, 'stop_percent', r.stop_percent,
    'begun_at', r.created_at, 'ended_at', r.ended_at, 'at', now_at,
    'seconds', round(extract(epoch from coalesce(r.ended_at, now_at) - r.created_at)),
    'members', pg_catalog.jsonb_build_object(
      'all', sums.members, 'pending', sums.pending, 'working', sums.working, 'waiting', sums.waiting,
      'succeeded', sums.succeeded, 'failed', sums.failed, 'skipped', sums.skipped,
      'per_minute', case when r.state = 'running' then round(sums.ended * 60 / seconds) else 0 end),
    'entities', pg_catalog.jsonb_build_object(
      'moved', sums.moved,
      -- Nobody has counted any: there is nothing to estimate from.
      'remaining', case when sums.uncounted = 0 or sums.usual is not null then round(estimate) end,
      'is_estimate', sums.uncounted > 0,
      'per_minute', rate,
      'eta_seconds', case when rate > 0 and (sums.uncounted = 0 or sums.usual is not null) then round(estimate * 60 / rate) end),
    'wave', r.wave,
    'waves', (
      select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'number', w.number, 'name', w.name, 'state', w.state, 'members', c.members, 'succeeded', c.succeeded,
        'failed', c.failed, 'skipped', c.skipped, 'begun_at', w.begun_at, 'passed_at', w.passed_at,
        'soak_left_seconds', case when w.state = 'soaking' then greatest(0, round((r.options ->> 'soak_seconds')::integer
          - extract(epoch from now_at - w.worked_at))) end) order by w.number)
      from imago_fleet.wave w
      cross join lateral (
        select count(*) as members, count(*) filter (where x.state = 'succeeded') as succeeded,
          count(*) filter (where x.state = 'failed') as failed, count(*) filter (where x.state = 'skipped') as skipped
        from imago_fleet.rollout_member x where x.rollout = r.id and x.wave = w.number) c
      where w.rollout = r.id),
    'failures', (
      select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('code', f.code, 'state', f.state, 'found', f.found, 'reason', f.reason)
        order by f.found desc, f.code), '[]')
      from (
        select x.code, x.state, count(*) as found, min(x.reason) as reason
        from imago_fleet.rollout_member x where x.rollout = r.id and x.state in ('failed', 'skipped') group by x.code, x.state) f),
    'troubled', (
      select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('member', t.member, 'wave', t.wave, 'state', t.state, 'code', t.code,
        'reason', t.reason, 'hint', t.hint, 'tries', t.tries, 'engine', t.engine) order by t.place), '[]')
      from (
        select x.*, pg_catalog.row_number() over (order by case x.state when 'failed' then 1 when 'skipped' then 2 else 3 end, x.member) as place
        from imago_fleet.rollout_member x
        where x.rollout = r.id and x.state in ('failed', 'skipped', 'waiting')
        order by place limit 20) t),
    'slowest', (
      select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('member', s.member, 'state', s.state, 'moved', s.moved,
        'remaining', s.remaining, 'per_minute', s.per_minute, 'seconds', round(extract(epoch from now_at - s.begun_at))) order by s.begun_at), '[]')
      from (
        select * from imago_fleet.rollout_member x
        where x.rollout = r.id and x.state in ('working', 'waiting') and x.begun_at is not null order by x.begun_at limit 5) s),
    'workers', (
      select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', w.name, 'slots', w.slots,
        'working', (select count(*) from imago_fleet.rollout_member x where x.worker = w.id and x.state = 'working')) order by w.name, w.id), '[]')
      from imago_fleet.worker w where imago_fleet.is_alive(w.id)));
end
$$;

comment on function imago_fleet.progress(bigint) is 'How far a rollout is, for all who show it: members by state, entities, rate, waves, who is in trouble and why.';
