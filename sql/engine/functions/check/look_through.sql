create or replace function imago.look_through(plan imago.plan, detailed boolean, started timestamptz, deadline timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  held imago.validation;
  fresh record;
  item imago.validation_check;
  before imago.validation_check;
  items imago.validation_check[] := '{}';
  status text := 'done';
begin
  held.plan := plan.name;
  held.phase := imago.validation_phase(plan);
  held.fixes := false;
  held.dry_run := false;
  held.state := 'checking';
  for fresh in select c.* from imago.new_checks(plan, held.phase, null) c order by c.place loop
    item := row(null, fresh.plan_check, fresh.place, fresh.applicable, fresh.done, null, 20, null, false, 0, fresh.total, 0, null, 0, 0,
      '{}', 0, 10, '{}', '[]', '{}', null);
    while not item.done and clock_timestamp() < deadline and not imago.timed_out() loop
      before := item;
      item := imago.work_check(item, plan, deadline, true);
      exit when item is not distinct from before;
    end loop;
    items := items || item;
    status := case when item.done then status else 'waiting' end;
  end loop;
  return imago.validation_report(held, items, status, detailed, started) || case status
    when 'waiting' then imago.waiting_fields() else jsonb_build_object('progress', imago.validated_figures(plan)) end;
end
$$;
comment on function imago.look_through(imago.plan, boolean, timestamptz, timestamptz) is 'A validation within one call, of which nothing is written down, for while nothing can be written. Status waiting where the call is too short for it.';
