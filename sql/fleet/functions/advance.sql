create or replace function imago_fleet.advance(rollout bigint)
returns text
language plpgsql
set search_path = ''
as $$
declare
  r imago_fleet.rollout;
  w imago_fleet.wave;
  is_last boolean;
  counts record;
  failed_in_all bigint;
  members bigint;
  left_in_all bigint;
  now_at constant timestamptz := pg_catalog.clock_timestamp();
begin
  -- The second one sees what the first has decided.
  select * into r from imago_fleet.rollout x where x.id = advance.rollout for no key update;
  if not found or r.state <> 'running' then
    return r.state;
  end if;
  select count(*) filter (where x.state = 'failed'), count(*),
    count(*) filter (where x.state in ('pending', 'working', 'waiting'))
  into failed_in_all, members, left_in_all
  from imago_fleet.rollout_member x where x.rollout = r.id;
  -- Where all have ended, there is nothing to be stopped.
  if left_in_all > 0 and failed_in_all * 100 > r.stop_percent * members then
    return imago_fleet.stop(r.id, 'budget', pg_catalog.format(
      '%s of %s members failed, more than %s %%', failed_in_all, members, pg_catalog.trim_scale(r.stop_percent)));
  end if;
  loop
    select * into w from imago_fleet.wave x where x.rollout = r.id and x.number = r.wave;
    is_last := not exists (select from imago_fleet.wave x where x.rollout = r.id and x.number > r.wave);
    -- One of an earlier wave that is tried again is waited for as well.
    select
      count(*) filter (where x.state in ('pending', 'working', 'waiting')) as unfinished,
      count(*) filter (where x.wave = r.wave and x.state = 'failed') as failed,
      count(*) filter (where x.wave = r.wave and x.state = 'succeeded') as succeeded
    into counts
    from imago_fleet.rollout_member x where x.rollout = r.id and x.wave <= r.wave;
    if counts.unfinished > 0 then
      return r.state;
    end if;
    if not w.is_accepted and not is_last and (counts.failed > 0 or counts.succeeded = 0) then
      update imago_fleet.wave x set state = 'stopped' where x.rollout = r.id and x.number = r.wave;
      return imago_fleet.stop(r.id, 'gate', case
        when counts.failed > 0 then pg_catalog.format('wave %s: %s failed', w.name, counts.failed)
        else pg_catalog.format('wave %s: nobody was worked, all were left alone', w.name) end);
    end if;
    if w.worked_at is null then
      update imago_fleet.wave x set worked_at = now_at where x.rollout = r.id and x.number = r.wave;
      w.worked_at := now_at;
    end if;
    if not is_last and w.checked_at is null and coalesce((r.options ->> 'soak_seconds')::integer, 0) > 0 then
      if now_at < w.worked_at + (r.options ->> 'soak_seconds')::integer * interval '1 second' then
        update imago_fleet.wave x set state = 'soaking' where x.rollout = r.id and x.number = r.wave and x.state <> 'soaking';
        return r.state;
      end if;
      update imago_fleet.wave x set state = 'checking', checked_at = now_at where x.rollout = r.id and x.number = r.wave;
      if r.kind = 'migrate' then
        update imago_fleet.rollout_member x
        set task = 'check', state = 'pending', queued_at = null, ended_at = null
        where x.rollout = r.id and x.wave = r.wave and x.state = 'succeeded';
        return r.state;
      end if;
    end if;
    if counts.failed > 0 and not w.is_accepted then
      update imago_fleet.wave x set state = 'failed' where x.rollout = r.id and x.number = r.wave;
    else
      update imago_fleet.wave x set state = 'passed', passed_at = now_at where x.rollout = r.id and x.number = r.wave;
      perform imago_fleet.note(r.id, 'wave passed', w.name);
    end if;
    exit when is_last;
    r.wave := r.wave + 1;
    update imago_fleet.rollout x set wave = r.wave where x.id = r.id;
    update imago_fleet.wave x set state = 'running', begun_at = now_at where x.rollout = r.id and x.number = r.wave;
  end loop;
  update imago_fleet.rollout x
  set state = case when failed_in_all = 0 then 'succeeded' else 'failed' end, ended_at = now_at,
    code = case when failed_in_all > 0 then 'members' end,
    reason = case when failed_in_all > 0 then pg_catalog.format('%s of %s members failed', failed_in_all, members) end
  where x.id = r.id
  returning x.state into r.state;
  perform imago_fleet.note(r.id, 'ended', r.state);
  return r.state;
end
$$;

comment on function imago_fleet.advance(bigint) is 'Decides whether a rollout goes on: budget, gate, soak, the next wave, the end. Gives its state.';
