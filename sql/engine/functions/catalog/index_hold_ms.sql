create or replace function imago.index_hold_ms(relation text)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  bytes constant numeric := coalesce(imago.relation_bytes(relation), 0);
  -- Measured: docs/architecture.md, "Indexes after the walk".
  ms_per_row constant numeric := 0.002;
  ms_per_mb constant numeric := 1.5;
  rows numeric;
begin
  select greatest(c.reltuples::numeric, pg_catalog.pg_stat_get_live_tuples(c.oid), case when c.reltuples < 0 then bytes / 100 end) into rows
  from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(relation);
  return (coalesce(rows, 0) * ms_per_row + bytes / 1048576 * ms_per_mb) * coalesce((select max(w.index_pace) from imago.plan_write w), 1);
end
$$;
comment on function imago.index_hold_ms(text) is 'Milliseconds that writers of a table are expected to wait while an index is built on it in a call. By its rows and bytes, and by what earlier ones took on this server.';
