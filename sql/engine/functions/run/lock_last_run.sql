create or replace function imago.lock_last_run(plan_name text)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.last_run(plan_name);
begin
  loop
    run := imago.lock_run(run.id);
    -- While we waited, somebody may have begun another one.
    exit when run.id is not distinct from (imago.last_run(plan_name)).id;
    run := imago.last_run(plan_name);
  end loop;
  return run;
end
$$;
comment on function imago.lock_last_run(text) is 'Holds the newest run of a plan alone and re-reads it; null when the plan has none. IM016 when others take too long.';
