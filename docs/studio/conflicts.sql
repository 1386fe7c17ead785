-- Imago: what keeps entities from going back: rows that the app has changed, referred to or deleted since.
select f.plan, f.table_name as relation, f.reason_kind, f.referenced_by, count(*) as conflicts,
  (array_agg(f.entity order by f.id))[1:5] as some_entities, (array_agg(f.row_key order by f.id))[1:5] as some_rows
from imago.failure f
where f.kind = 'conflict'
group by 1, 2, 3, 4
order by conflicts desc;
