-- Imago: the last things that happened, batches left out. Keys, codes and counts, never values of rows.
select created_at, plan, run, level, event, entity, sqlstate, detail
from migration_log
where level <> 'debug'
order by created_at desc
limit 200;
