create or replace function imago.look(plan imago.plan, run imago.run, holds_rows boolean)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  governor imago.governor;
  before numeric;
  readings imago.reading[];
begin
  if current_setting('imago.dry', true) = 'on' then
    return imago.glance(plan, run, holds_rows => true);
  end if;
  select g.* into governor from imago.governor g where g.plan = plan.name;
  if not found then
    insert into imago.governor (plan) values (plan.name) on conflict do nothing;
  elsif not imago.is_look_due(governor, holds_rows) then
    return governor;
  end if;
  -- One call looks; who comes meanwhile takes what was decided before.
  select g.* into governor from imago.governor g where g.plan = plan.name for update skip locked;
  if not found then
    select g.* into governor from imago.governor g where g.plan = plan.name;
    return governor;
  elsif not imago.is_look_due(governor, holds_rows) then
    return governor;
  end if;

  before := governor.share;
  governor := imago.rebase_governor(governor);
  readings := imago.take_readings(plan, run, governor, holds_rows);
  perform imago.save_readings(governor, readings);
  governor := imago.decide(governor, readings);
  if governor.share = 0 then
    update imago.reading r set holds = true where r.plan = governor.plan and r.level >= 2 and r.signal <> 'waiters' and not r.holds;
  elsif before = 0 then
    update imago.reading r set holds = false where r.plan = governor.plan and r.holds;
  end if;
  governor := imago.note_usual(governor, readings);
  governor.lsn := pg_catalog.pg_current_wal_insert_lsn();
  governor.wal_room := imago.wal_room(readings);
  governor.looked_at := clock_timestamp();
  perform imago.log_change(run, before, governor, readings);
  return imago.save_governor(governor);
end
$$;
comment on function imago.look(imago.plan, imago.run, boolean) is 'The governor of a plan: looks at the server if nobody has within look_ms. Decides which share of the time its runs may work.';
