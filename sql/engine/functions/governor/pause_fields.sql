create or replace function imago.pause_fields(run imago.run, outcome text, others_write boolean, started timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  fields constant jsonb := jsonb_build_object('others_write', others_write, 'health', imago.health_json(run.plan));
  share numeric := (select g.share from imago.governor g where g.plan = run.plan);
  rest_ms integer;
begin
  if others_write then
    share := coalesce(share, 1) * imago.setting_number('beside_app_percent') / 100;
  end if;
  if outcome <> 'working' or share is null or share <= 0 or share >= 1 then
    return fields;
  end if;
  -- The rest of the time is slept by the caller, never in the transaction.
  rest_ms := least(5000, ceil(1000 * extract(epoch from clock_timestamp() - started) * (1 / share - 1)));
  if others_write then
    -- For all callers: more of them do not make less rest. A caller that works at the same time has the row, and rests for both.
    update imago.health h set rest_until = clock_timestamp() + make_interval(secs => rest_ms / 1000.0)
    from (select f.run from imago.health f where f.run = pause_fields.run.id for update skip locked) free
    where h.run = free.run;
  end if;
  return fields || jsonb_build_object('retry_after_ms', rest_ms);
end
$$;
comment on function imago.pause_fields(imago.run, text, boolean, timestamptz) is 'What an answer says of the governor and of others. Where a run works part of the time only: when to call again, too.';
