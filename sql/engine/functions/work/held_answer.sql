create or replace function imago.held_answer(run imago.run, governor imago.governor, others_write boolean, started timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.notify_held(run, governor);
  return imago.work_answer(run.id, 'waiting', '{}', '{}', started) || jsonb_build_object(
    'others_write', others_write,
    'reason', coalesce(imago.hold_reason(run.plan), imago.rate_text(run.plan)),
    'retry_after_ms', case governor.share when 0 then imago.wait_ms(governor) else greatest(100, imago.rate_wait_ms(run.plan)) end,
    'health', imago.health_json(run.plan));
end
$$;
comment on function imago.held_answer(imago.run, imago.governor, boolean, timestamptz) is 'What a call returns whose run is held by the governor: nothing was locked and nothing was done.';
