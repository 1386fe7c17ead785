create or replace function imago.close_lanes(run_id bigint, stage integer default null)
returns void
language sql
volatile
set search_path = ''
as $$
  with free as (
    select l.run, l.stage, l.pass, l.number from imago.lane l
    where l.run = run_id and not l.done and (close_lanes.stage is null or l.stage = close_lanes.stage)
    for update skip locked
  )
  update imago.lane l set done = true, updated_at = clock_timestamp()
  from free f
  where l.run = f.run and l.stage = f.stage and l.pass = f.pass and l.number = f.number
$$;
comment on function imago.close_lanes(bigint, integer) is 'Closes lanes of a run, or of one stage of it, that need not be walked any more. Lanes that somebody holds are theirs to close.';
