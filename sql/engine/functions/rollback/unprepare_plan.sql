create or replace function imago.unprepare_plan(run imago.run, plan imago.plan)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  context text;
begin
  if exists (select from imago.failure f where f.plan = plan.name and f.direction = 'rollback' and f.kind <> 'forgotten') then
    return 'kept';
  end if;
  perform imago.remove_triggers(plan);
  -- Who was writing when we last looked has ended, for we hold the tables: its sync may have added to the journal.
  if exists (select from imago.begun_stages(run, plan) s where imago.remaining_entities(run, s, 1) <> '{}') then
    raise exception using errcode = '40IM2', message = 'a transaction in flight has written more';
  end if;
  update imago.plan p set prepared_at = null where p.name = plan.name;
  delete from imago.declared d where d.plan = plan.name;
  -- The next run looks at the app again and repeats the steps: they are idempotent.
  update imago.plan_step s set done_at = null, cursor_key = null, walked = 0 where s.plan = plan.name;
  delete from imago.failure f where f.plan = plan.name and f.kind <> 'forgotten';
  delete from imago.sync_failure s where s.plan = plan.name;
  delete from imago.lost_row l where l.plan = plan.name;
  delete from imago.stray_row l where l.plan = plan.name;
  return 'removed';
exception
  when lock_not_available or deadlock_detected then
    return 'busy';
  when sqlstate '40IM2' then
    get stacked diagnostics context = pg_exception_context;
    if not (imago.find_raiser(context, '40IM2', plan.name)).by_engine then
      raise;
    end if;
    return 'more';
  when others or assert_failure then
    get stacked diagnostics context = pg_exception_context;
    if left(sqlstate, 2) in ('40', '53', '57') then
      raise;
    end if;
    -- An event trigger of the app, say. All is back but for our triggers; a retry removes them.
    return imago.stop_run(run, 'IM041', array['triggers of Imago', plan.name,
      imago.sqlstate_text(sqlstate, (imago.find_raiser(context, sqlstate, plan.name)).raised_by)]);
end
$$;
comment on function imago.unprepare_plan(imago.run, imago.plan) is 'Removes our triggers from the app''s tables once everything is back. Outcome removed; kept while an entity is set aside; busy when a table cannot be locked just now; more when something has come that is not back; failed when they cannot be removed, which stops the run.';
