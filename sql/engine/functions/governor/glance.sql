create or replace function imago.glance(plan imago.plan, run imago.run, holds_rows boolean)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  governor imago.governor;
  last_look constant text := nullif(current_setting('imago.glanced', true), '');
begin
  select g.* into governor from imago.governor g where g.plan = plan.name;
  governor.plan := plan.name;
  governor.share := case when governor.share = 0 and governor.held_until > clock_timestamp() then 0 else 1 end;
  if last_look is null or last_look::timestamptz <= clock_timestamp() - make_interval(secs => imago.setting_number('look_ms') / 1000.0) then
    perform set_config('imago.glanced', clock_timestamp()::text, true);
    if exists (
      select from unnest(imago.take_readings(plan, run, imago.rebase_governor(governor), holds_rows)) r
      where r.level >= 2 and r.signal not in ('hours', 'waiters')
    ) then
      governor.share := 0;
    end if;
  end if;
  return governor;
end
$$;
comment on function imago.glance(imago.plan, imago.run, boolean) is 'A look that writes nothing, for what is taken back: others would wait for its rows to the end.';
