create or replace function imago.log_change(run imago.run, before numeric, governor imago.governor, readings imago.reading[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  event constant text := case
    when governor.share = 0 and before > 0 then 'held'
    when governor.share > 0 and before = 0 then 'released'
    when governor.share < 1 and before = 1 then 'slowed'
    when governor.share = 1 and before < 1 then 'released'
  end;
begin
  if event is null then
    return;
  end if;
  perform imago.write_log(governor.plan, run.id, case event when 'held' then 'warning' else 'info' end, event,
    jsonb_build_object('share', governor.share, 'reasons', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'signal', r.signal, 'name', nullif(r.name, ''), 'value', round(r.value), 'capacity', round(r.capacity), 'sqlstate', r.sqlstate))), '[]')
      from unnest(readings) r where r.level > 0)));
end
$$;
comment on function imago.log_change(imago.run, numeric, imago.governor, imago.reading[]) is 'Logs that a run is slowed, held or released, with the signals, and only then: not each look.';
