create or replace function imago.is_taken_later(staged imago.plan)
returns boolean
language sql
stable
set search_path = ''
as $$
  select staged.stage > 1 and imago.cohort_sql(staged, 'key') = 'false'
$$;
comment on function imago.is_taken_later(imago.plan) is 'Whether runs leave a further stage for later, since the cohort that they take has nobody in it.';
