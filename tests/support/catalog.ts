import type { Sql } from 'postgres';

/**
 * What there is in schema public, one line each, whatever the order of columns: columns with type, null, default and
 * collation, constraints with name and whether they are valid, indexes, labels of enums in order, triggers, policies, row
 * level security, rights, owners, comments, sequences, views and functions.
 */
export async function catalogOf(sql: Sql): Promise<string[]> {
  const lines = await sql<{ line: string }[]>`
    with relations as (
      select c.* from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    ), types as (
      select t.* from pg_type t where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd')
    )
    select format('%s %s owner %s rights %s security %s/%s partition of %s options %s', c.relkind, c.relname, c.relowner::regrole,
        (select array_agg(a::text order by a::text) from unnest(coalesce(c.relacl, acldefault('r', c.relowner))) a),
        c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.reloptions) as line
    from relations c
    union all
    select format('column %s.%s %s not null %s default %s identity %s generated %s collation %s storage %s rights %s',
        c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
        a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attstorage, a.attacl)
    from relations c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    union all
    select format('constraint %s.%s %s valid %s', c.relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated)
    from relations c join pg_constraint k on k.conrelid = c.oid
    union all
    select format('index %s valid %s', pg_get_indexdef(i.indexrelid), i.indisvalid)
    from relations c join pg_index i on i.indrelid = c.oid
    union all
    select format('trigger %s enabled %s', pg_get_triggerdef(t.oid), t.tgenabled)
    from relations c join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
    union all
    select format('policy %s.%s %s %s %s %s %s', c.relname, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[],
        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from relations c join pg_policy p on p.polrelid = c.oid
    union all
    select format('view %s %s', c.relname, pg_get_viewdef(c.oid)) from relations c where c.relkind in ('v', 'm')
    union all
    select format('type %s %s owner %s rights %s labels %s', t.typtype, t.typname, t.typowner::regrole, t.typacl,
        (select array_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
    from types t
    union all
    select format('function %s rights %s %s', p.oid::regprocedure, p.proacl, md5(p.prosrc))
    from pg_proc p where p.pronamespace = 'public'::regnamespace
    union all
    select format('comment on %s: %s', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description)
    from pg_description d
    where d.classoid = 'pg_class'::regclass and d.objoid in (select c.oid from relations c union select i.indexrelid from relations c join pg_index i on i.indrelid = c.oid)
       or d.classoid = 'pg_type'::regclass and d.objoid in (select t.oid from types t)
       or d.classoid = 'pg_constraint'::regclass and d.objoid in (select k.oid from relations c join pg_constraint k on k.conrelid = c.oid)
       or d.classoid = 'pg_trigger'::regclass and d.objoid in (select t.oid from relations c join pg_trigger t on t.tgrelid = c.oid)`;
  return lines.map(({ line }) => line).sort();
}
