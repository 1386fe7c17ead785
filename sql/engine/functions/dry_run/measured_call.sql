create or replace function imago.measured_call(run_id bigint, call_ms integer, size integer, out answer jsonb, out cost imago.cost)
language plpgsql
volatile
set search_path = ''
as $$
declare
  explained jsonb;
begin
  -- Who writes how much of the log is told of a statement alone: the server's counters have what all write.
  execute format(
    'explain (analyze, wal, costs off, timing off, summary off, format json) '
    || 'select pg_catalog.set_config(''imago.rehearsed'', imago.work_run(%s, %s, %s)::text, true)', run_id, call_ms, size)
  into explained;
  answer := current_setting('imago.rehearsed')::jsonb;
  cost := row(
    coalesce((answer ->> 'migrated')::bigint, 0), coalesce((answer ->> 'duration_ms')::numeric, 0),
    (explained #>> '{0,Plan,WAL Bytes}')::numeric, (explained #>> '{0,Plan,WAL FPI}')::bigint, (explained #>> '{0,Plan,WAL Records}')::bigint);
end
$$;
comment on function imago.measured_call(bigint, integer, integer, out jsonb, out imago.cost) is 'One call of a rehearsal, with what it has cost this session.';
