create or replace function imago.rest_remedy(plan_name text)
returns text
language sql
stable
set search_path = ''
as $$
  select case when t.plan is null then 'Call migrate_batch until has_more is false.'
    else format('Runs take a cohort only (%s). Have one take all: migrate_batch with cohort {"percent": 100}, until has_more is false.', imago.cohort_text(t)) end
  from (select) one left join imago.cohort_taken t on t.plan = plan_name
$$;
comment on function imago.rest_remedy(text) is 'What to do where entities of a plan are pending and no run is under way.';
