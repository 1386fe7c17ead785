create or replace function imago.disk_problems(forecast imago.forecast, throttle imago.throttle)
returns setof imago.forecast_problem
language plpgsql
volatile
set search_path = ''
as $$
declare
  disk record;
  signal imago.signal := (select s from imago.signal s where s.name = 'disk');
  log_bytes numeric;
  kept numeric;
  needed numeric;
  problem imago.forecast_problem;
begin
  select * into disk from unnest(imago.read_disk());
  if disk.capacity is null then
    return;
  end if;
  select coalesce(sum(f.size), 0) into log_bytes from pg_catalog.pg_ls_waldir() f;
  -- The server lets go of the log once it is past max_wal_size, but for what a slot keeps.
  select least(forecast.wal_bytes, pg_catalog.pg_size_bytes(current_setting('max_wal_size'))) into kept;
  select greatest(kept, max(least(s.capacity, s.value + case
    when a.active then least(forecast.wal_bytes, forecast.wal_per_second * imago.setting_number('reader_lag_s')) else forecast.wal_bytes end))) into kept
  from unnest(imago.read_slots()) s join pg_catalog.pg_replication_slots a on a.slot_name = s.name;
  needed := forecast.journal_bytes + forecast.table_bytes + greatest(0, kept - log_bytes);
  problem := row(imago.foreseen_severity('disk', throttle, disk.value + needed, disk.capacity), 'disk', '',
    greatest(0, signal.hold / 100 * disk.capacity - disk.value), needed, null,
    format('The run takes %s on disk: %s of journal, %s of tables, %s of write-ahead log; database and log take %s',
      imago.amount_text('bytes', needed, null), imago.amount_text('bytes', forecast.journal_bytes, null),
      imago.amount_text('bytes', forecast.table_bytes, null), imago.amount_text('bytes', greatest(0, kept - log_bytes), null),
      imago.amount_text('bytes', disk.value, disk.capacity)),
    format('Make the disk larger, and say so: update imago.setting set value = ''%s'' where name = ''disk_mb'';',
      ceil(1.25 * (disk.value + needed) / signal.slow * 100 / 1048576) + 1));
  if problem.severity is not null then
    return next problem;
  end if;
end
$$;
comment on function imago.disk_problems(imago.forecast, imago.throttle) is 'Whether journal, tables, dead rows and write-ahead log fit on the disk, where disk_mb says what it has.';
