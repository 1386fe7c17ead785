create or replace function imago.close_lanes(run_id bigint)
returns void
language sql
volatile
set search_path = ''
as $$
  with free as (
    select l.run, l.pass, l.number from imago.lane l where l.run = run_id and not l.done for update skip locked
  )
  update imago.lane l set done = true, updated_at = clock_timestamp()
  from free f
  where l.run = f.run and l.pass = f.pass and l.number = f.number
$$;
comment on function imago.close_lanes(bigint) is 'Closes lanes of a run that windows have walked to the end; lanes that somebody holds are theirs to close.';
