create or replace function imago.conclude_run(run imago.run)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  unmoved bigint := (select a.unmoved from imago.count_set_aside(run.plan, run.direction) a);
begin
  if unmoved > 0 then
    return imago.transition_run(run.id, 'fail', imago.counted(imago.find_plan(run.plan), unmoved) || ' set aside', 'set_aside');
  end if;
  return imago.transition_run(run.id, 'succeed');
end
$$;
comment on function imago.conclude_run(imago.run) is 'Gives a run that has nothing left to do its last state: succeeded, or failed where entities are set aside.';
