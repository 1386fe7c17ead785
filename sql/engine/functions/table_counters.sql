create or replace function imago.table_counters()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(s.relid::pg_catalog.regclass::text, s.n_tup_ins + s.n_tup_upd + s.n_tup_del), '{}')
  from pg_catalog.pg_stat_xact_user_tables s
  where s.schemaname not in ('imago', 'imago_undo') and s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
$$;
comment on function imago.table_counters() is 'Rows that this session has written so far in each table, unflushed work of before included; take differences.';
