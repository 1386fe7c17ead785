create or replace function imago.external_problems(staged imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'missing_function', f.name, 'is missing', f.hint
  -- A table that is missing is a problem of its own.
  from (select case when pg_catalog.to_regclass(staged.source) is not null then imago.found_key_type(staged) end as type) k
  cross join lateral (
    select format('%s(%s[])', imago.plan_object(staged, 'read'), k.type), 'It gives the rows that are handed out: one jsonb, by key.'
    union all
    select format('%s(%s[], jsonb)', imago.plan_object(staged, 'apply'), k.type), 'It writes what comes back: the keys, and by key what the function outside gave.'
    union all
    select format('%I.%I(%s[])', staged.name, c.fix, k.type), format('It is the fix of check %s, which SQL does alone: leave it out (null), or write it.', c.name)
    from imago.plan_check c where c.plan = staged.name and c.stage = staged.stage and c.fix is not null) f(name, hint)
  where staged.external and k.type is not null and pg_catalog.to_regprocedure(f.name) is null
$$;
comment on function imago.external_problems(imago.plan) is 'What speaks against an external stage: one of its two functions is missing, or the fix of a check.';
