create or replace function imago.count_callers(run imago.run, pids integer[])
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
  gate bigint;
begin
  -- Reading all locks is dear where many are held: only where somebody is at work at all.
  if run.id is null or pids is null then
    return 0;
  end if;
  gate := imago.run_lock_key(run.id);
  return (
    select count(distinct l.pid)
    from pg_catalog.pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 1 and l.pid = any (pids)
      and l.classid::bigint << 32 | l.objid::bigint = gate);
end
$$;
comment on function imago.count_callers(imago.run, integer[]) is 'How many of these sessions drive a run: each call holds its gate. They are no others.';
