create or replace function imago.add_counts(counts jsonb, more jsonb, factor integer default 1)
returns jsonb
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(jsonb_object_agg(name, total), '{}')
    from (
      select name, sum(amount) as total
      from (
        select key as name, value::bigint as amount from jsonb_each_text(coalesce(counts, '{}'))
        union all
        select key, factor * value::bigint from jsonb_each_text(coalesce(more, '{}'))
      ) amounts
      group by name
    ) totals);
end
$$;
comment on function imago.add_counts(jsonb, jsonb, integer) is 'Adds two objects of counts by name; factor -1 subtracts.';
