create or replace function imago.claim_validation(
  plan imago.plan,
  fixes boolean,
  dry_run boolean,
  since timestamptz,
  run_id bigint,
  out validation imago.validation
)
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
#variable_conflict use_column
declare
  current_phase text := case when run_id is null then imago.validation_phase(plan) else 'after' end;
  run imago.run := imago.last_run(plan.name);
begin
  if fixes and current_phase = 'during' then
    perform imago.raise_error('IM027', plan.name, run.direction, run.state);
  end if;
  select v.* into validation from imago.validation v
  where v.plan = plan.name and v.fixes = claim_validation.fixes and v.dry_run = claim_validation.dry_run
    and v.run is not distinct from run_id and v.state <> 'done'
  for update skip locked;
  if validation.id is not null and validation.phase = current_phase and imago.is_resumable(validation)
     and (since is null or validation.created_at >= since) then
    return;
  end if;
  if validation.id is not null then
    delete from imago.validation v where v.id = validation.id;
    validation := null;
  end if;

  begin
    perform set_config('lock_timeout', '200', true);
    insert into imago.validation as v (plan, phase, fixes, dry_run, run)
    values (plan.name, current_phase, fixes, dry_run, run_id)
    on conflict do nothing
    returning v.* into validation;
    perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
  exception when lock_not_available or deadlock_detected then
    return;
  end;
  if validation.id is null then
    return;
  end if;
  delete from imago.validation v where v.plan = plan.name and v.id in (
    select o.id from imago.validation o where o.plan = plan.name and o.state = 'done' order by o.id desc offset 20);
  perform imago.refresh_statistics(plan.name);
  insert into imago.validation_check (validation, plan_check, position, applicable, done, total)
  select validation.id, c.plan_check, c.place, c.applicable, c.done, c.total from imago.new_checks(plan, current_phase, run_id) c;
end
$$;
comment on function imago.claim_validation(imago.plan, boolean, boolean, timestamptz, bigint, out imago.validation) is 'The unfinished validation with these options, held alone, or a new one; null while another caller holds it. One of another phase, or that nobody has worked on for an hour, is given up. run_id: the end of this run asks, or finalize after it, for the checks that must not fail.';
