create or replace function imago.may_fill(relation oid, name text, sources oid[], routine text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Looked up once and not for each trigger of the table.
  sync_function constant oid := pg_catalog.to_regprocedure(routine);
begin
  -- Volatile, so that it sees what is there now: judge_fill has the snapshot of its caller, which may be older.
  return exists (
    select from pg_catalog.pg_trigger g
    where g.tgrelid = relation and g.tgfoid = sync_function and g.tgtype & 4 = 4 and g.tgenabled in ('O', 'A')
  ) and exists (
    select
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = name and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    -- A type that takes each value as it is.
    where c.oid = relation and not c.relispartition and t.typtype = 'b' and t.typlen > 0 and a.atttypmod = -1
      and not exists (
        select
        from pg_catalog.pg_depend d
        left join pg_catalog.pg_constraint k on d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and k.oid = d.objid
        left join pg_catalog.pg_index i on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and i.indexrelid = d.objid
        left join pg_catalog.pg_trigger g on d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass and g.oid = d.objid
        where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = relation and d.refobjsubid = a.attnum
          -- A foreign key to rows that are held meanwhile cannot fail, nor what it has for each partition; a plain index takes
          -- whatever its column takes.
          and (k.contype <> 'f'
            or k.contype = 'f' and k.conrelid = relation and k.conparentid = 0 and k.confrelid <> all (sources)
            or i.indisunique or i.indisexclusion or i.indexprs is not null
            or i.indpred is not null and pg_catalog.pg_get_expr(i.indpred, relation) !~ '^\(\S+ IS NOT NULL\)$'
            or not g.tgisinternal and not imago.is_ours(g.tgfoid)
            or d.classid in ('pg_catalog.pg_policy'::pg_catalog.regclass, 'pg_catalog.pg_attrdef'::pg_catalog.regclass))));
end
$$;
comment on function imago.may_fill(oid, text, oid[], text) is 'Whether what a sync fills will be journaled, and nothing could refuse a row for it. By what the catalogue says depends on the column: a sync fails no write of the app.';
