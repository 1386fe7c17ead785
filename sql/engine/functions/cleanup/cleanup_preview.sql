create or replace function imago.cleanup_preview(plan imago.plan, before timestamptz)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with undo as (
    select count(*) as tables, coalesce(sum(u.bytes), 0) as bytes from imago.undo_bytes(plan.name) u
  ), lines as (
    select count(*) as rows, coalesce(sum(pg_catalog.pg_column_size(l.*)), 0) as bytes
    from imago.log l where l.plan = plan.name and l.created_at < before
  ), batches as (
    select count(*) as rows, coalesce(sum(pg_catalog.pg_column_size(b.*)), 0) as bytes
    from imago.batch b join imago.run r on r.id = b.run where r.plan = plan.name and b.created_at < before
  )
  select imago.cleanup_answer(plan.name, null, case when plan.cleaned_at is null then 'not started' else 'cleaned up' end, jsonb_build_object(
      'undo_tables', u.tables, 'log_rows', l.rows, 'batch_rows', b.rows, 'bytes_freed', u.bytes + l.bytes + b.bytes))
    || jsonb_build_object('dry_run', true, 'list', (
      select coalesce(jsonb_agg(s.name order by s.position), '[]') from imago.plan_step s
      where s.plan = plan.name and s.phase = 'cleanup' and s.done_at is null
        and coalesce(s.only_after = case when plan.finalized_at is not null then 'finalize' else 'rollback' end, true)))
  from undo u, lines l, batches b
$$;
comment on function imago.cleanup_preview(imago.plan, timestamptz) is 'What clean-up would drop and how much space that would free. Changes nothing.';
