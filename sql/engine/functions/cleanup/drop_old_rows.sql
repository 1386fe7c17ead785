create or replace function imago.drop_old_rows(plan_name text, before timestamptz)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with lines as (
    delete from imago.log l
    where l.id in (select o.id from imago.log o where o.plan = plan_name and o.created_at < before order by o.id limit 20000)
    returning pg_catalog.pg_column_size(l.*) as bytes
  ), batches as (
    delete from imago.batch b
    where b.id in (
      select o.id from imago.batch o join imago.run r on r.id = o.run
      where r.plan = plan_name and o.created_at < before order by o.id limit 20000)
    returning pg_catalog.pg_column_size(b.*) as bytes
  )
  select jsonb_build_object(
    'log_rows', (select count(*) from lines), 'batch_rows', (select count(*) from batches),
    'bytes_freed', (select coalesce(sum(bytes), 0) from (select bytes from lines union all select bytes from batches) both_kinds))
$$;
comment on function imago.drop_old_rows(text, timestamptz) is 'Deletes lines of the log and batches of a plan up to a moment, so many a call; says how many and how much they held.';
