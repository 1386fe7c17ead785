create or replace function imago.remove_capture(plan imago.plan)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  if exists (select from imago.failure f where f.plan = plan.name and f.direction = 'rollback') then
    return true;
  end if;
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.captured_at is not null loop
    execute format('drop trigger if exists "!imago_guard" on %s', write.relation);
    execute format('drop trigger if exists "~imago_insert" on %s', write.relation);
    execute format('drop trigger if exists "~imago_update" on %s', write.relation);
    execute format('drop trigger if exists "~imago_keep" on %s', write.relation);
    update imago.plan_write w set captured_at = null where w.id = write.id;
  end loop;
  update imago.plan p set prepared_at = null where p.name = plan.name;
  -- The next run looks at the app anew and does the steps again: they are idempotent.
  update imago.plan_step s set done_at = null where s.plan = plan.name;
  delete from imago.failure f where f.plan = plan.name;
  return true;
exception when lock_not_available or deadlock_detected then
  return false;
end
$$;
comment on function imago.remove_capture(imago.plan) is 'Removes our triggers from the app''s tables once everything is back; false when a table is too busy to be locked just now.';
