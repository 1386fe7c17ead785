create or replace function imago.fit_print(print integer[], columns text[])
returns integer[]
language sql
immutable
set search_path = ''
as $$
  select array_agg(case when c <> '' then print[n] end order by n) from unnest(columns) with ordinality u(c, n)
$$;
comment on function imago.fit_print(integer[], text[]) is 'A fingerprint without the columns that have been dropped since it was taken.';
