create or replace function imago.refresh_statistics(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  stale record;
  -- Of fewer rows a check is quick by any way.
  least_rows constant integer := 10000;
begin
  -- A rehearsal would keep others from analyzing and altering to its end.
  if current_setting('imago.dry', true) = 'on' then
    return;
  end if;
  for stale in
    select w.relation, c.columns
    from imago.plan_write w
    join pg_catalog.pg_class r on r.oid = pg_catalog.to_regclass(w.relation) and r.relkind in ('r', 'p')
    cross join lateral (
      select sum(pg_catalog.pg_stat_get_mod_since_analyze(t.oid)) as changed, sum(greatest(t.reltuples, 0)) as rows
      from imago.written_tables(w.relation) v join pg_catalog.pg_class t on t.oid = v and t.relkind = 'r') s
    cross join lateral (
      select string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
      from pg_catalog.pg_attribute a
      where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
        -- Of a row that was there before, key and owner are what they were.
        and a.attname = any (w.columns || case when w.inserts then w.key_columns || w.entity_column end)) c
    where w.plan = plan_name and s.changed >= greatest(s.rows / 10, least_rows)
      and imago.is_owned(w.relation)
    order by w.position
  loop
    begin
      -- Somebody who holds such a lock is analyzing it, or will change it anyway.
      execute format('analyze (skip_locked) %s (%s)', stale.relation, stale.columns);
    exception
      when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
      -- A child that somebody has locked, a foreign one whose server does not answer: the checks only take longer.
      when others then
        null;
    end;
  end loop;
end
$$;
comment on function imago.refresh_statistics(text) is
  'Statistics of the columns that a plan has written, before its checks read them: autovacuum comes later.';
