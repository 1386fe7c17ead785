create or replace function imago.fingerprint(alias text, columns text[])
returns text
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select format('array[%s]::integer[]', (
      select string_agg(imago.fingerprint_part(alias, c), ', ' order by n) from unnest(columns) with ordinality u(c, n))));
end
$$;
comment on function imago.fingerprint(text, text[]) is 'SQL expression: the fingerprint of a row, for use where timezone and formats are fixed. One number a column, so that one that the app drops takes nothing else along.';
