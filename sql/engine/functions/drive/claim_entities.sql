create or replace function imago.claim_entities(plan_name text, size integer, lease_ms integer, run_id bigint)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '400ms'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  staged imago.plan;
  keys text[];
  lane imago.lane;
  next record;
  governor imago.governor;
  claim imago.claim;
  claimed jsonb := '[]';
  outcome text := 'working';
  token constant uuid := gen_random_uuid();
  started constant timestamptz := clock_timestamp();
  expires_at timestamptz;
  deadline constant timestamptz := imago.call_deadline(2000);
begin
  if size is null or lease_ms is null then
    perform imago.raise_error('IM004', case when size is null then 'batch_size' else 'lease_ms' end);
  elsif lease_ms not between 1000 and 3600000 then
    perform imago.raise_error('IM015', 'lease_ms', lease_ms::text, '1000 to 3600000 milliseconds');
  end if;
  perform imago.expect_size(size);
  perform imago.expect_session();
  if imago.read_only_reason() is not null then
    return imago.waiting_answer(plan_name, 'forward');
  end if;
  run := case when run_id is null then coalesce(imago.unfinished_run(plan_name), imago.last_run(plan_name)) else imago.expect_run(plan_name, 'forward', run_id) end;
  if run.id is null then
    perform imago.raise_error('IM022', plan_name);
  elsif run.direction = 'rollback' then
    perform imago.raise_error('IM017', plan_name, plan_name);
  end if;
  begin
    run := imago.lock_run(run.id, shared => true, wait_ms => imago.setting_number('lock_timeout_ms'));
    perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
    if run.state = 'running' then
      perform imago.expect_visible(plan_name);
      perform imago.follow_schema(plan_name);
    end if;
  exception when sqlstate 'IM016' or lock_not_available or deadlock_detected then
    return imago.work_answer(run.id, 'busy', '{}', '{}', started);
  end;
  if run.state <> 'running' then
    return imago.work_answer(run.id, case run.state when 'pending' then 'working' else imago.end_status(run) end, '{}', '{}', started);
  end if;
  select p.* into plan from imago.plan p where p.name = plan_name;
  governor := imago.look(plan, run, holds_rows => false);
  claim := imago.claim_allowance(plan_name, size);
  if governor.share = 0 or claim.entities = 0 then
    return imago.held_answer(run, governor, null, started);
  end if;

  next := imago.free_claims(run, plan, claim.entities);
  staged := next.staged;
  keys := next.keys;
  lane := next.lane;
  if keys = '{}' and not imago.over_budget(run) then
    lane := imago.claim_lane(run.id);
    if lane.run is null then
      outcome := case when exists (select from imago.lane l where l.run = run.id and not l.done) then 'busy' else 'working' end;
    else
      staged := imago.plan_at_stage(plan, lane.stage);
    end if;
    if staged.external then
      next := imago.claim_ahead(run, staged, lane, claim.entities, deadline);
      keys := next.keys;
      lane := next.lane;
    end if;
  end if;
  if keys <> '{}' then
    expires_at := clock_timestamp() + make_interval(secs => lease_ms / 1000.0);
    claimed := imago.claim_keys(run, staged, keys, lane, token, expires_at);
    perform imago.spend_allowance(plan_name, claim, jsonb_array_length(claimed));
    outcome := case claimed when '[]' then 'working' else 'claimed' end;
  end if;
  perform imago.expect_visible(plan_name);
  return imago.work_answer(run.id, outcome, '{}', '{}', started) || case outcome
    when 'claimed' then jsonb_build_object('stage', staged.stage, 'token', token, 'expires_at', expires_at, 'entities', claimed)
    else '{}' end;
end
$$;
comment on function imago.claim_entities(text, integer, integer, bigint) is 'Hands out entities of the external stage that a run has come to. First those that are handed out again, then those of the next lane.';
