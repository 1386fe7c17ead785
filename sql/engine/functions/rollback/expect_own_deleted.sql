create or replace function imago.expect_own_deleted(counts jsonb, present bigint, before jsonb, after jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  lost record;
begin
  -- Rows that move to another partition are deleted and inserted.
  select c.relation, sum(c.deleted) over () as deleted into lost
  from (
    select a.key as relation, greatest(0, (a.value ->> 'deleted')::bigint - (before -> a.key ->> 'deleted')::bigint
      - case when c.relkind = 'p' then greatest(0, (a.value ->> 'inserted')::bigint - (before -> a.key ->> 'inserted')::bigint
          - coalesce((counts ->> (a.key || ':returned'))::bigint, 0)) else 0 end) as deleted
    from jsonb_each(after) a
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(a.key)
  ) c
  order by c.deleted - coalesce((counts ->> (c.relation || ':removed'))::bigint, 0) desc
  limit 1;
  if lost.deleted > present then
    raise exception using errcode = 'IM072', message = 'rows were deleted that cannot be brought back', table = lost.relation;
  end if;
end
$$;
comment on function imago.expect_own_deleted(jsonb, bigint, jsonb, jsonb) is 'Raises IM072 when more rows of declared relations were deleted than the rollback had to remove (present). Triggers of the app deleted rows that no journal has.';
