create or replace function imago.add_counts(counts jsonb, more jsonb, factor integer default 1)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(name, total), '{}')
  from (
    select name, sum(amount) as total
    from (
      select key as name, value::bigint as amount from jsonb_each_text(coalesce(counts, '{}'))
      union all
      select key, factor * value::bigint from jsonb_each_text(coalesce(more, '{}'))
    ) amounts
    group by name
  ) totals
$$;
comment on function imago.add_counts(jsonb, jsonb, integer) is 'Adds two objects of counts by name; factor -1 subtracts.';
