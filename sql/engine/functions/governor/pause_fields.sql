create or replace function imago.pause_fields(plan text, outcome text, started timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  share numeric := (select g.share from imago.governor g where g.plan = pause_fields.plan);
begin
  return jsonb_build_object('health', imago.health_json(plan))
    -- The rest of the time is slept by the caller, never in the transaction.
    || case when outcome = 'working' and share > 0 and share < 1 then jsonb_build_object(
      'retry_after_ms', least(5000, ceil(1000 * extract(epoch from clock_timestamp() - started) * (1 / share - 1)))) else '{}' end;
end
$$;
comment on function imago.pause_fields(text, text, timestamptz) is 'What an answer says of the governor: the field health and, where its share is less than all, when to call again.';
