create or replace function imago.external_problems(staged imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'missing_function', f.name, 'is missing', f.hint
  from (select imago.key_type(staged.source, staged.key_column) as type) k
  cross join lateral (values
    (format('%s(%s[])', imago.plan_object(staged, 'read'), k.type), 'It gives the rows that are handed out: one jsonb, by key.'),
    (format('%s(%s[], jsonb)', imago.plan_object(staged, 'apply'), k.type), 'It writes what comes back: the keys, and by key what the function outside gave.')) f(name, hint)
  where staged.external and k.type is not null and pg_catalog.to_regprocedure(f.name) is null
$$;
comment on function imago.external_problems(imago.plan) is 'What speaks against an external stage: one of its two functions is missing.';
