create or replace function imago.referencing_columns(plan text, target text)
returns table (relation text, columns text[], target_columns text[], pointing imago.plan_write)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select w.relation, array[p.key], imago.primary_key(target), w
  from imago.plan_write w
  cross join lateral jsonb_each_text(w.points_to) p
  where w.plan = referencing_columns.plan and p.value = target
  union all
  select
    c.conrelid::pg_catalog.regclass::text,
    (select array_agg(a.attname::text order by k.n)
     from unnest(c.conkey) with ordinality k(attnum, n)
     join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum),
    (select array_agg(a.attname::text order by k.n)
     from unnest(c.confkey) with ordinality k(attnum, n)
     join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.attnum),
    null::imago.plan_write
  from pg_catalog.pg_constraint c
  where c.contype = 'f' and c.conparentid = 0
    and (c.confrelid = target::pg_catalog.regclass
         or c.confrelid in (select t.relid from pg_catalog.pg_partition_tree(target::pg_catalog.regclass) t))
    -- A key of several columns no longer refers to anything when the declared one of them is null.
    and not exists (
      select from imago.plan_write w
      join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
      where w.plan = referencing_columns.plan
        and w.relation::pg_catalog.regclass = coalesce(pg_catalog.pg_partition_root(c.conrelid), c.conrelid)
        and w.points_to ->> a.attname = target and (cardinality(c.conkey) = 1 or c.confmatchtype = 's'));
end
$$;
comment on function imago.referencing_columns(text, text) is 'Columns that refer to a relation: declared ones (with their write) and every other foreign key.';
