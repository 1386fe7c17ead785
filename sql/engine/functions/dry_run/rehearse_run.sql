create or replace function imago.rehearse_run(plan imago.plan, unfinished imago.run, max_failures text)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
begin
  if unfinished.id is not null then
    update imago.run r set state = 'cancelled' where r.id = unfinished.id;
  end if;
  run := imago.open_run(plan.name, 'forward',
    max_failures => coalesce(max_failures, case unfinished.direction when 'forward' then unfinished.max_failures end));
  -- By its late lanes, which look who is pending before they lock anybody: what is locked stays so to the end.
  update imago.run r set late_only = true where r.id = run.id;
  perform imago.start_run(run.id);
  select r.* into run from imago.run r where r.id = run.id;
  return run;
end
$$;
comment on function imago.rehearse_run(imago.plan, imago.run, text) is 'The run of a rehearsal, started, with the error budget of the unfinished one, whose place it takes.';
