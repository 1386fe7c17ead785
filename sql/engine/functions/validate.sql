create or replace function imago.validate(
  plan_name text,
  detailed boolean,
  fixes boolean,
  max_ms integer,
  dry_run boolean,
  since timestamptz default null
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  held imago.validation;
  item imago.validation_check;
  started timestamptz := clock_timestamp();
  deadline timestamptz := imago.call_deadline(max_ms);
begin
  held := imago.take_validation(plan, fixes, dry_run, since);
  if held.id is null then
    return imago.busy_validation(plan, detailed, fixes, dry_run, started);
  end if;

  while held.state = 'checking' loop
    select i.* into item from imago.validation_check i where i.validation = held.id and not i.done order by i.position limit 1;
    if found then
      item := imago.work_check(item, plan, deadline);
      perform imago.save_check(item);
    else
      held.state := case when imago.open_findings(held.id) then 'fixing' else 'done' end;
    end if;
    exit when clock_timestamp() >= deadline or imago.timed_out();
  end loop;
  if held.state = 'fixing' and clock_timestamp() < deadline and not imago.timed_out() then
    held.state := imago.work_fixes(held, plan, deadline);
  end if;
  update imago.validation v set state = held.state, updated_at = clock_timestamp() where v.id = held.id;
  return imago.validation_answer(held.id, held.state, detailed, started);
end
$$;
comment on function imago.validate(text, boolean, boolean, integer, boolean, timestamptz) is 'One call''s worth of a validation: takes it up where the last call left it, checks until everything is counted, then fixes where asked to. since: one begun before is given up.';
