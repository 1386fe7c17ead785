create or replace function imago.expect_cleanable(plan imago.plan, older_than interval)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.last_run(plan.name);
  since timestamptz;
begin
  if run.state in ('pending', 'running', 'paused') then
    perform imago.raise_error('IM040', plan.name, format('run %s (%s) is %s', run.id, run.direction, run.state), 'Let it end, or cancel it with cancel_migration.');
  elsif plan.finalized_at is not null then
    since := plan.finalized_at;
  elsif plan.closed_at is not null then
    perform imago.raise_error('IM040', plan.name, 'finalize has not ended', 'Call finalize_migration until has_more is false.');
  elsif run.direction = 'rollback' and run.state = 'succeeded' and imago.remaining_entities(run, plan, 1) = '{}' then
    since := run.finished_at;
  else
    perform imago.raise_error('IM040', plan.name, 'its journal is the way back', 'Finalize it first (finalize_migration), or take everything back.');
  end if;
  if since + older_than > clock_timestamp() then
    perform imago.raise_error('IM040', plan.name,
      format('its verification period ends on %s (UTC)', to_char((since + older_than) at time zone 'UTC', 'YYYY-MM-DD "at" HH24:MI')),
      'Call again then. A shorter older_than ends it earlier.');
  end if;
  return since;
end
$$;
comment on function imago.expect_cleanable(imago.plan, interval) is 'Refuses to clean up while the journal is the way back, or before the verification period is over (IM040). Gives since when that counts: when the plan was finalized, or taken back whole.';
