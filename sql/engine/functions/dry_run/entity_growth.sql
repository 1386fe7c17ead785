create or replace function imago.entity_growth(plan imago.plan, before jsonb, written jsonb, moved bigint)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with grown as (
    select s.relation, s.is_journal, s.bytes - coalesce((before ->> s.relation)::numeric, 0) as bytes from imago.relation_sizes(plan) s
  ), counted as (
    select substr(w.key, strpos(w.key, ' ') + 1) as relation,
      coalesce(sum(w.value::bigint) filter (where split_part(w.key, ' ', 1) <> 'delete'), 0) as made,
      coalesce(sum(w.value::bigint) filter (where split_part(w.key, ' ', 1) <> 'insert'), 0) as dead
    from jsonb_each_text(written) w
    where w.value::bigint > 0
    group by 1
  ), tables as (
    -- Rows that fit where others have gone make a table no larger; those that come after them will.
    select greatest(coalesce(g.bytes, 0), c.made * coalesce(r.bytes, 0)) as bytes
    from counted c
    left join grown g on g.relation = c.relation and not g.is_journal
    left join lateral (
      select t.relpages * current_setting('block_size')::numeric / t.reltuples::numeric as bytes
      from pg_catalog.pg_class t where t.oid = c.relation::pg_catalog.regclass and t.reltuples > 0) r on true
  )
  select jsonb_build_object(
    'journal_bytes', coalesce((select round(sum(g.bytes) / moved) from grown g where g.is_journal), 0),
    'table_bytes', coalesce((select round(sum(t.bytes) / moved) from tables t), 0),
    'rows_written', (select coalesce(round((sum(c.made) + sum(c.dead)) / moved, 3), 0) from counted c),
    'dead_rows', coalesce((select jsonb_object_agg(c.relation, round(c.dead::numeric / moved, 3)) from counted c where c.dead > 0), '{}'))
  where moved > 0
$$;
comment on function imago.entity_growth(imago.plan, jsonb, jsonb, bigint) is 'By how much an entity makes tables and journal grow, and which rows die for it. Takes the sizes of before, the rows written by kind and table, and how many were moved.';
