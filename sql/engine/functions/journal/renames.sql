create or replace function imago.renames(plan_name text)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(
    format('%s is %s now', d.first_relation || coalesce('.' || quote_ident(nullif(d.first_name, '')), ''),
      d.relation || coalesce('.' || quote_ident(nullif(d.name, '')), '')), ', ' order by d.relation, d.number)
  from imago.declared d
  where d.plan = plan_name and (d.first_name <> d.name or d.number = 0 and d.first_relation <> d.relation)
$$;
comment on function imago.renames(text) is 'Tables and columns of a plan that are called otherwise than when it was prepared, for people; null if there are none.';
