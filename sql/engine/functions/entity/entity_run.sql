create or replace function imago.entity_run(plan imago.plan, direction text)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
begin
  if direction = 'forward' and plan.prepared_at is null then
    perform imago.raise_error('IM005', plan.name, plan.name);
  end if;
  loop
    run := imago.unfinished_run(plan.name);
    if run.id is null then
      run := imago.last_run(plan.name);
      if run.id is null and direction = 'rollback' then
        perform imago.raise_error('IM022', plan.name);
      end if;
      if direction = 'forward' and (run.id is null or run.direction = 'rollback' or run.state in ('succeeded', 'cancelled')
                                    or run.error_code = 'set_aside') then
        run := imago.open_run(plan.name, 'forward');
      end if;
    end if;
    if direction = 'forward' and run.direction = 'rollback' then
      perform imago.raise_error('IM017', plan.name, plan.name);
    end if;
    if run.state = 'failed' and run.error_code is distinct from 'set_aside' and direction = 'forward' then
      perform imago.raise_error('IM024', plan.name, plan.name);
    end if;
    if run.state = 'pending' then
      perform imago.start_run(run.id);
    end if;
    run := imago.lock_run(run.id, shared => true);
    perform imago.expect_not_finalized(plan.name, direction);
    if run.state = 'paused' and direction = 'forward' then
      perform imago.raise_error('IM019', plan.name, plan.name);
    end if;
    -- A forward run that ended, or was taken over, between our look and our hold on it is not the one.
    exit when run.state = 'running' or direction = 'rollback';
  end loop;
  return run;
end
$$;
comment on function imago.entity_run(imago.plan, text) is 'The run to which a window or a single entity is booked, held for share and checked.';
