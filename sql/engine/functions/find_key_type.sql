create or replace function imago.find_key_type(plan_name text)
returns void
language sql
volatile
set search_path = ''
as $$
  update imago.plan p set key_type = case when c.kept like 'character varying%' then 'text' else c.kept end
  from imago.plan s
  cross join lateral imago.undo_columns(format('%I.%I', s.source_schema, s.source_table), array[s.key_column]) c
  where p.name = plan_name and s.name = plan_name
$$;
comment on function imago.find_key_type(text) is 'Notes the type by which a plan''s entities are keyed.';
