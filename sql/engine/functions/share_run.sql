create or replace function imago.share_run(run_id bigint, direction text)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
begin
  perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
  select r.* into run from imago.run r where r.id = run_id for share;
  if run.state = 'paused' and direction = 'forward' then
    perform imago.raise_error('IM019', run.plan, run.plan);
  end if;
  return run;
end
$$;
comment on function imago.share_run(bigint, text) is 'Holds a run''s row for share, so that no transition happens under a batch, and re-reads its state.';
