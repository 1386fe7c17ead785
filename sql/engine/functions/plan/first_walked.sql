create or replace function imago.first_walked(plan imago.plan)
returns integer
language sql
stable
set search_path = ''
as $$
  select coalesce(min(s.stage), 1) from imago.plan_stages(plan) s where not imago.is_once(s)
$$;
comment on function imago.first_walked(imago.plan) is 'The first stage that walks a table: the one to which a percentage, and keys, of a cohort belong.';
