create or replace function imago.table_counters()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(format('%s %s', k.kind, s.relid::pg_catalog.regclass), k.rows), '{}')
  from pg_catalog.pg_stat_xact_user_tables s
  cross join lateral (
    values ('insert', s.n_tup_ins), ('update', s.n_tup_upd), ('delete', s.n_tup_del)
  ) k(kind, rows)
  where s.schemaname not in ('imago', 'imago_undo') and k.rows > 0
$$;
comment on function imago.table_counters() is 'Rows that this session has written so far by kind of write and table ("insert public.users"). Holds unflushed work of before as well; take differences.';
