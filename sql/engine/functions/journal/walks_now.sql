create or replace function imago.walks_now(plan_name text)
returns table (stage integer, relation text, key_column text)
language sql
stable
set search_path = ''
as $$
  select s.stage, imago.name_now(s.name, s.source), imago.name_now(s.name, s.source, s.key_column)
  from imago.plan p cross join lateral imago.plan_stages(p) s
  where p.name = plan_name
  union all
  -- Rows that several entities share are entities of their own.
  select w.stage, w.relation, w.key_columns[1] from imago.writes_now(plan_name) w where w.entity_column is null
$$;
comment on function imago.walks_now(text) is 'For each stage of a plan its table and its key, as they are called now.';
