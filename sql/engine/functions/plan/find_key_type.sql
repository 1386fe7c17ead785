create or replace function imago.find_key_type(plan_name text)
returns void
language sql
volatile
set search_path = ''
as $$
  update imago.plan p set key_type = imago.key_type(p.source_schema, p.source_table, p.key_column) where p.name = plan_name;
  update imago.plan_stage t set key_type = imago.key_type(t.source_schema, t.source_table, t.key_column) where t.plan = plan_name
$$;
comment on function imago.find_key_type(text) is 'Notes the types by which a plan''s entities are keyed.';
