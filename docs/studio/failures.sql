-- Imago: why entities were set aside, most frequent reason first, with some of their keys. Correct the cause, then retry_failed_migrations.
select f.plan, f.direction, f.kind, f.sqlstate, f.constraint_name, f.table_name, f.column_name, f.raised_by, count(*) as entities,
  (array_agg(f.entity order by f.id))[1:5] as some_keys, max(f.created_at) as last_at
from imago.failure f
where f.kind in ('failed', 'deferred', 'too_large', 'unreachable', 'held')
group by 1, 2, 3, 4, 5, 6, 7, 8
order by entities desc;
