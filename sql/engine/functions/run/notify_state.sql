create or replace function imago.notify_state(run imago.run)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  aside record;
begin
  if imago.notify_ways() = '{}' then
    return;
  end if;
  select * into aside from imago.count_set_aside(run.plan, run.direction);
  perform imago.notify(run, 'state', jsonb_build_object(
    'state', run.state, 'code', run.error_code,
    'moved', (select sum(l.moved) from imago.lane l where l.run = notify_state.run.id),
    'failed', aside.failed, 'conflicts', aside.conflicts));
end
$$;
comment on function imago.notify_state(imago.run) is 'Tells people that a run has come into another state.';
