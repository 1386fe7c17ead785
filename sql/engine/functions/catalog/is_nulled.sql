create or replace function imago.is_nulled(relation text, column_name text, target text)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    -- Not with children, which foreign keys do not see, nor where nobody would hear of it.
    select c.relkind = 'r' and not c.relhassubclass
      and current_setting('session_replication_role') <> 'replica' and current_setting('track_counts')::boolean
      and coalesce((
        select bool_and(
          cardinality(f.conkey) = 1 and f.confdeltype = 'n' and f.confrelid = target::pg_catalog.regclass
          and not exists (select from pg_catalog.pg_trigger t where t.tgconstraint = f.oid and t.tgenabled <> 'O'))
        from pg_catalog.pg_constraint f
        where f.contype = 'f' and f.conrelid = c.oid and a.attnum = any (f.conkey)), false)
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = column_name
    where c.oid = pg_catalog.to_regclass(relation));
end
$$;
comment on function imago.is_nulled(text, text, text) is 'Whether a deleted target row only sets this column null in the rows that point at it, as its foreign keys say.';
