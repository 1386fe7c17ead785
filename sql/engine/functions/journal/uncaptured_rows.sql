create or replace function imago.uncaptured_rows(plan text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  loop
    begin
      return (
        select coalesce(jsonb_object_agg(w.relation, coalesce(t.written, 0) - pg_catalog.currval(format('imago_undo.%I', w.undo_table || '_seen'))), '{}')
        from imago.plan_write w
        -- Rows of a partitioned table are counted on its partitions.
        cross join lateral (
          select sum(pg_catalog.pg_stat_get_xact_tuples_updated(t.oid)
                   + case when w.inserts then pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid) else 0 end
                   + case when w.deletes then pg_catalog.pg_stat_get_xact_tuples_deleted(t.oid) else 0 end) as written
          from (select pg_catalog.to_regclass(w.relation)::oid
                union select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(w.relation)) p) t(oid)) t
        where w.plan = uncaptured_rows.plan and w.captured_at is not null);
    exception when object_not_in_prerequisite_state then
      -- The first batch of this session.
      for write in select w.* from imago.plan_write w where w.plan = uncaptured_rows.plan and w.captured_at is not null loop
        begin
          perform pg_catalog.currval(format('imago_undo.%I', write.undo_table || '_seen'));
        exception when object_not_in_prerequisite_state then
          perform pg_catalog.setval(format('imago_undo.%I', write.undo_table || '_seen'), 1);
        end;
      end loop;
    end;
  end loop;
end
$$;
comment on function imago.uncaptured_rows(text) is 'By declared relation: rows written, as the server counts them, less rows that the capture triggers have seen. Take differences.';
