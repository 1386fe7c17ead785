create or replace function imago.cohort_json(plan_name text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('percent', t.percent, 'keys', cardinality(t.keys), 'names', to_jsonb(t.names))
  from imago.cohort_taken t
  where t.plan = plan_name
$$;
comment on function imago.cohort_json(text) is 'Which entities runs forward of a plan take: the percentage, the number of keys and the names of cohorts. Null: all.';
