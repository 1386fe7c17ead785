create or replace function imago.source_rows(plan imago.plan)
returns bigint
language sql
stable
set search_path = ''
as $$
  select sum(imago.estimated_rows(s.source))::bigint from imago.plan_stages(source_rows.plan) s
$$;
comment on function imago.source_rows(imago.plan) is 'Rows that a run of the plan walks, of all its stages, by the statistics of the tables.';
