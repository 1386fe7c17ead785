create or replace function imago.identity_columns(plan_name text, relation text)
returns text[]
language sql
stable
set search_path = ''
as $$
  select array_agg(distinct i.name order by i.name)
  from (
    select unnest(w.key_columns || w.entity_column) as name from imago.writes_now(plan_name) w where w.relation = identity_columns.relation
    union all
    select w.key_column from imago.walks_now(plan_name) w where w.relation = identity_columns.relation
    union all
    select r.referenced from imago.references_now(plan_name, identity_columns.relation) r
  ) i
  where i.name is not null
$$;
comment on function imago.identity_columns(text, text) is 'Columns of a table by which the journal of a plan knows rows, entities and what refers to them.';
