create or replace function imago.analyze_journal(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  undo text;
begin
  for undo in
    select w.undo_table from imago.plan_write w
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass('imago_undo.' || quote_ident(w.undo_table))
    where w.plan = plan_name and pg_catalog.pg_stat_get_mod_since_analyze(c.oid) >= c.reltuples / 10
  loop
    -- What rows are looked up by. The values in them take most of the time, and are asked for nowhere.
    execute format('analyze imago_undo.%I (batch, entity, op)', undo);
  end loop;
end
$$;
comment on function imago.analyze_journal(text) is 'Statistics for the journal before it is read at large, unless it has hardly changed since the last. It may have been empty when autovacuum looked.';
