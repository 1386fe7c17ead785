create or replace function imago.uncaptured_rows(plan text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  seen bigint;
  written bigint;
  result jsonb := '{}';
begin
  for write in select w.* from imago.plan_write w where w.plan = uncaptured_rows.plan and w.captured_at is not null loop
    begin
      seen := pg_catalog.currval(format('imago_undo.%I', write.undo_table || '_seen'));
    exception when object_not_in_prerequisite_state then
      -- The first batch of this session.
      seen := pg_catalog.setval(format('imago_undo.%I', write.undo_table || '_seen'), 1);
    end;
    -- Rows of a partitioned table are counted on its partitions.
    select sum(pg_catalog.pg_stat_get_xact_tuples_updated(t.oid)
             + case when write.inserts then pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid) else 0 end)
      into written
    from (select c.oid from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(write.relation)
          union select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(write.relation)) p) t(oid);
    result := result || jsonb_build_object(write.relation, coalesce(written, 0) - seen);
  end loop;
  return result;
end
$$;
comment on function imago.uncaptured_rows(text) is 'By declared relation: rows written, as the server counts them, less rows that the capture triggers have seen. Take differences.';
