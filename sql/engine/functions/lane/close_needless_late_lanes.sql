create or replace function imago.close_needless_late_lanes(run imago.run, plan imago.plan, lane imago.lane)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if lane.pass is distinct from 'late' or lane.cursor_key is not null or lane.moved_before is not null or run.late_only
     or exists (select from imago.failure f where f.plan = plan.name)
     or imago.setting_number('proof_mb') * 1024 * 1024::bigint < imago.plan_bytes(plan) then
    return false;
  end if;
  perform imago.close_lanes(run.id, plan.stage);
  return true;
end
$$;
comment on function imago.close_needless_late_lanes(imago.run, imago.plan, imago.lane) is 'Closes late lanes of a stage that nobody has to walk. Nothing is set aside, and the tables are small enough for one query to find the remaining entities.';
