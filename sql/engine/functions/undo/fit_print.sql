create or replace function imago.fit_print(print integer[], defaults integer[], columns text[])
returns integer[]
language sql
immutable
set search_path = ''
as $$
  -- Of a column that came later the row had the default; one that has gone tells nothing.
  select array_agg(case when c = '' then null when n <= cardinality(print) then print[n] else defaults[n] end order by n)
  from unnest(columns) with ordinality u(c, n)
$$;
comment on function imago.fit_print(integer[], integer[], text[]) is 'A fingerprint that was taken of other columns, made comparable with one of these.';
