create or replace function imago.free_claims(run imago.run, plan imago.plan, size integer, out staged imago.plan, out keys text[], out lane imago.lane)
language plpgsql
volatile
set search_path = ''
as $$
declare
  most constant integer := imago.setting_number('external_claims');
  found text[];
  worn text[];
begin
  keys := '{}';
  loop
    select c.stage, c.lane_pass, c.lane_number into lane.stage, lane.pass, lane.number
    from imago.claimed_entity c
    where c.run = free_claims.run.id and (c.token is null or c.expires_at <= clock_timestamp())
    order by c.stage, c.entity limit 1;
    exit when lane.stage is null;
    select array_agg(f.entity order by f.entity), coalesce(array_agg(f.entity) filter (where f.claims >= most), '{}') into found, worn
    from (
      select c.entity, c.claims from imago.claimed_entity c
      where c.run = free_claims.run.id and c.stage = free_claims.lane.stage and (c.token is null or c.expires_at <= clock_timestamp())
      order by c.entity limit size
      for update skip locked) f;
    exit when found is null;
    staged := imago.plan_at_stage(plan, lane.stage);
    select coalesce(array_agg(k order by n), '{}') into keys
    from unnest(imago.pending_or_unknown(staged, found)) with ordinality p(k, n)
    where k not in (select imago.set_aside_keys(plan.name, 'forward', true, staged.stage));
    perform imago.set_aside(run, k, 'deferred', reason => format('handed out %s times, and nothing came back that could be written', most), stage => staged.stage)
    from unnest(keys) k where k = any (worn);
    select coalesce(array_agg(k order by n), '{}') into keys from unnest(keys) with ordinality p(k, n) where k <> all (worn);
    delete from imago.claimed_entity c
    where c.run = free_claims.run.id and c.stage = staged.stage and c.entity = any (found) and c.entity <> all (keys);
    exit when keys <> '{}';
  end loop;
end
$$;
comment on function imago.free_claims(imago.run, imago.plan, integer, out imago.plan, out text[], out imago.lane) is 'Entities that are to be handed out again. Their claim has expired, was given back, or the row has changed. Forgets those that are not pending any more, and sets aside those that never come back (external_claims).';
