create or replace function imago_fleet.change(rollout bigint, action text, options jsonb default '{}')
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  r imago_fleet.rollout;
  names text[] := array(select pg_catalog.jsonb_array_elements_text(options -> 'members'));
  changed bigint := 0;
begin
  select * into r from imago_fleet.rollout x where x.id = change.rollout for no key update;
  if not found then
    perform imago_fleet.refuse('FL001', pg_catalog.format('There is no rollout %s.', change.rollout), 'imago fleet status shows the newest.');
  end if;
  if (case action
    when 'pause' then r.state <> 'running'
    when 'resume' then r.state not in ('paused', 'stopped')
    when 'cancel' then r.state not in ('running', 'paused', 'stopped')
    when 'retry' then r.state = 'cancelled'
    else true end)
  then
    perform imago_fleet.refuse('FL003', pg_catalog.format('Rollout %s is %s: there is nothing to %s.', r.id, r.state, action),
      'imago fleet status shows where it stands.');
  end if;
  if action = 'retry' and r.state in ('succeeded', 'failed') and exists (
    select from imago_fleet.rollout x where x.plan is not distinct from r.plan and x.id > r.id)
  then
    perform imago_fleet.refuse('FL003', pg_catalog.format('After rollout %s another one of its plan was begun.', r.id),
      'Begin a new one: imago fleet run.');
  end if;
  if action = 'pause' then
    update imago_fleet.rollout x set state = 'paused' where x.id = r.id;
  elsif action = 'cancel' then
    update imago_fleet.rollout x set state = 'cancelled', ended_at = pg_catalog.clock_timestamp() where x.id = r.id;
  elsif action = 'resume' then
    if r.state = 'stopped' and r.code = 'gate' and not coalesce((options ->> 'despite_failures')::boolean, false) then
      perform imago_fleet.refuse('FL006', pg_catalog.format('It was stopped at the gate (%s).', r.reason),
        'Try the failed members again: imago fleet retry. Or go on without them: imago fleet resume --despite-failures.');
    end if;
    if r.state = 'stopped' and r.code = 'budget' and options ->> 'stop_percent' is null then
      perform imago_fleet.refuse('FL006', pg_catalog.format('It was stopped by its budget (%s).', r.reason),
        'Try the failed members again: imago fleet retry. Or allow more: imago fleet resume --stop-when 10%.');
    end if;
    if (options ->> 'despite_failures')::boolean then
      update imago_fleet.wave w set is_accepted = true where w.rollout = r.id and w.number = r.wave;
    end if;
    update imago_fleet.rollout x
    set state = 'running', code = null, reason = null,
      stop_percent = coalesce((change.options ->> 'stop_percent')::numeric, x.stop_percent)
    where x.id = r.id;
  else
    update imago_fleet.rollout_member x
    set state = 'pending', task = 'move', is_retry = true, code = null, reason = null, hint = null, tries = 0, lost = 0, queued_at = null, ended_at = null
    where x.rollout = r.id and x.state in ('failed', 'skipped') and (names = '{}' or x.member = any (names));
    get diagnostics changed = row_count;
    if changed > 0 then
      update imago_fleet.rollout x set state = 'running', code = null, reason = null, ended_at = null where x.id = r.id;
    end if;
  end if;
  update imago_fleet.wave w set state = 'running' where w.rollout = r.id and w.number = r.wave and w.state in ('stopped', 'failed')
    and (action = 'resume' or changed > 0);
  if action <> 'retry' or changed > 0 then
    perform imago_fleet.note(r.id, action, case when action = 'retry' then pg_catalog.format('%s members', changed) end);
  end if;
  notify imago_fleet;
  select x.state into r.state from imago_fleet.rollout x where x.id = r.id;
  return pg_catalog.jsonb_build_object('rollout', r.id, 'state', r.state, 'members', changed);
end
$$;

comment on function imago_fleet.change(bigint, text, jsonb) is 'Pauses, resumes or cancels a rollout, or tries its failed and skipped members again; refuses what its state does not allow.';
