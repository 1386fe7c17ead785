create or replace function imago.cleanup_since(plan imago.plan)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.last_run(plan.name);
begin
  if run.state in ('pending', 'running', 'paused') then
    perform imago.raise_error('IM040', plan.name, format('run %s (%s) is %s', run.id, run.direction, run.state), 'Let it end, or cancel it with cancel_migration.');
  elsif plan.finalized_at is not null then
    return plan.finalized_at;
  elsif plan.closed_at is not null then
    perform imago.raise_error('IM040', plan.name, 'finalize has not ended', 'Call finalize_migration until has_more is false.');
  elsif run.direction = 'rollback' and run.state = 'succeeded' and imago.remaining_entities(run, plan, 1) = '{}' then
    return run.finished_at;
  end if;
  perform imago.raise_error('IM040', plan.name, 'its journal is the way back', 'Finalize it first (finalize_migration), or take everything back.');
  return null;
end
$$;
comment on function imago.cleanup_since(imago.plan) is 'From when the verification period of a plan counts: when it was finalized, or taken back whole. Until then its journal is the way back (IM040).';
