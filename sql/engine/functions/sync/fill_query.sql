create or replace function imago.fill_query(sync imago.plan_sync, is_moving boolean)
returns text
language sql
immutable
set search_path = ''
as $$
  -- Nobody is waited for: what somebody else holds is left to the statement of the sync.
  select format('(%s limit 1 for key share skip locked%s)',
    rtrim(sync.fill, E' ;\n\t'), case when is_moving then ' for share of source skip locked' end)
$$;
comment on function imago.fill_query(imago.plan_sync, boolean) is 'SQL: the value that a sync fills in, holding the rows that it reads, so that a foreign key to them cannot fail. While entities are being moved it holds theirs for share.';
