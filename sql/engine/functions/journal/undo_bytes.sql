create or replace function imago.undo_bytes(plan_name text)
returns table (undo_table text, bytes bigint)
language sql
volatile
set search_path = ''
as $$
  select w.undo_table, pg_catalog.pg_total_relation_size(t.oid)
  from imago.plan_write w
  -- Null, and not an error, where there is no undo table.
  cross join lateral (select pg_catalog.to_regclass('imago_undo.' || quote_ident(w.undo_table)) as oid) t
  where w.plan = plan_name and t.oid is not null
$$;
comment on function imago.undo_bytes(text) is 'The undo tables of a plan that are there, each with the space that it takes on disk.';
