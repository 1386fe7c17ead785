-- Imago: what the journal takes until cleanup_migration drops it, and dead rows in the tables that plans write.
select 'journal of ' || w.plan as what, w.undo_table as relation, pg_size_pretty(pg_total_relation_size(c.oid)) as size, s.n_live_tup as rows, s.n_dead_tup as dead_rows
from imago.plan_write w
join pg_class c on c.relname = w.undo_table and c.relnamespace = 'imago_undo'::regnamespace
left join pg_stat_all_tables s on s.relid = c.oid
union all
select distinct 'written by plans', w.relation, pg_size_pretty(pg_total_relation_size(to_regclass(w.relation))), s.n_live_tup, s.n_dead_tup
from imago.plan_write w
left join pg_stat_all_tables s on s.relid = to_regclass(w.relation)
where to_regclass(w.relation) is not null
order by 1, 2;
