create or replace function imago.resting_answer(run imago.run, rest_until timestamptz, started timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer constant jsonb := imago.work_answer(run.id, 'busy', '{}', '{}', started);
begin
  return answer || jsonb_build_object(
    'others_write', true,
    'health', imago.health_json(run.plan),
    'retry_after_ms', greatest((answer ->> 'retry_after_ms')::integer, ceil(1000 * extract(epoch from rest_until - clock_timestamp()))));
end
$$;
comment on function imago.resting_answer(imago.run, timestamptz, timestamptz) is 'What a call returns that comes while another works beside the app, or before the run has rested. It has done nothing.';
