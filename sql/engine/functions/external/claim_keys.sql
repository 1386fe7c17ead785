create or replace function imago.claim_keys(run imago.run, plan imago.plan, keys text[], lane imago.lane, token uuid, expires_at timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  rows constant jsonb := imago.read_rows(run, plan, keys);
  result jsonb;
begin
  -- Else they would be asked for again and again.
  perform imago.set_aside(run, k, 'failed', reason => 'read gives no row for it', stage => plan.stage)
  from unnest(keys) k
  where not rows ? k and k not in (select imago.set_aside_keys(plan.name, 'forward', true, plan.stage));
  delete from imago.claimed_entity c
  where c.plan = claim_keys.plan.name and c.stage = claim_keys.plan.stage and c.entity = any (keys) and not rows ? c.entity;
  with claimed as (
    insert into imago.claimed_entity as c (plan, stage, entity, run, lane_pass, lane_number, token, row_hash, expires_at)
    select claim_keys.plan.name, claim_keys.plan.stage, k, claim_keys.run.id, claim_keys.lane.pass, claim_keys.lane.number, claim_keys.token,
      imago.row_hash(rows -> k), claim_keys.expires_at
    from unnest(keys) k where rows ? k
    on conflict (plan, stage, entity) do update set
      token = excluded.token, row_hash = excluded.row_hash, expires_at = excluded.expires_at, claims = c.claims + 1
    where c.token is null or c.expires_at <= clock_timestamp()
    returning entity
  )
  select coalesce(jsonb_agg(jsonb_build_object('key', k.key, 'row', rows -> k.key) order by k.n), '[]') into result
  from unnest(keys) with ordinality k(key, n) join claimed c on c.entity = k.key;
  return result;
end
$$;
comment on function imago.claim_keys(imago.run, imago.plan, text[], imago.lane, uuid, timestamptz) is 'Hands out entities of an external stage that are free: notes the claim, and gives key and row of each. Locks nothing of the app.';
