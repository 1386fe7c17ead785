create or replace function imago.moves_query(columns text[], old_rows text default 'old_rows', new_rows text default 'new_rows')
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    'select coalesce(jsonb_agg(jsonb_build_array(to_jsonb(o.v), to_jsonb(n.v)) order by o.i), ''[]'')
     from (select %1$s as v, row_number() over () as i from %2$s r) o
     full join (select %1$s as v, row_number() over () as i from %3$s r) n on n.i = o.i
     where o.v is distinct from n.v',
    (select format('array[%s]::text[]', string_agg(format('r.%I::text', c), ', ' order by n)) from unnest(columns) with ordinality u(c, n)), old_rows, new_rows)
$$;
comment on function imago.moves_query(text[], text, text) is 'SQL for a trigger: these columns of each row in which one of them has changed, before and after. They come in the order of the statement, in which old and new rows are the same.';
