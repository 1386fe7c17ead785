create or replace function imago.reopen_late_lanes(run_id bigint)
returns void
language sql
volatile
set search_path = ''
as $$
  update imago.lane l set
    done = false, cursor_key = null, batch_size = least(l.batch_size, 500), deferrals = 0,
    moved_before = (select sum(late.moved) from imago.lane late where late.run = run_id and late.pass = 'late')
  where l.run = run_id and l.pass = 'late'
$$;
comment on function imago.reopen_late_lanes(bigint) is 'Has the late lanes walked once more, because looking for remaining entities does not fit one call.';
