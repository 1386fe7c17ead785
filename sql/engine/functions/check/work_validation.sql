create or replace function imago.work_validation(validation imago.validation, plan imago.plan, deadline timestamptz, may_step boolean default true)
returns imago.validation
language plpgsql
volatile
set search_path = ''
as $$
declare
  item imago.validation_check;
  before imago.validation_check;
  worked boolean := false;
begin
  while validation.state = 'checking' loop
    select i.* into item from imago.validation_check i where i.validation = work_validation.validation.id and not i.done order by i.position limit 1;
    if found then
      before := item;
      item := imago.work_check(item, plan, deadline, may_step);
      exit when item is not distinct from before;
      perform imago.save_check(item);
      may_step := false;
    else
      validation.state := case when imago.reopen_findings(validation.id) then 'fixing' else 'done' end;
    end if;
    worked := true;
    exit when clock_timestamp() >= deadline or imago.timed_out() or imago.is_waited_for();
  end loop;
  -- A call does something even where its time was up before it came here: else no number of calls would do.
  if validation.state = 'fixing'
    and (not worked or clock_timestamp() < deadline and not imago.is_waited_for()) and not imago.timed_out() then
    validation.state := imago.work_fixes(validation, plan, deadline);
  end if;
  update imago.validation v set state = validation.state, updated_at = clock_timestamp() where v.id = work_validation.validation.id;
  return validation;
end
$$;
comment on function imago.work_validation(imago.validation, imago.plan, timestamptz, boolean) is 'Goes on with a validation that the caller holds: checks until everything is counted, then fixes where asked to. may_step: the call is fresh, a check that does not fit it is begun.';
