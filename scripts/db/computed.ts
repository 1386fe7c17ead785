/** Materialized views over what has come back. */
import type { TransactionSql } from 'postgres';

/** Computes those that stand on these tables anew, those that others stand on first; gives their names. */
export async function refreshViews(tx: TransactionSql, tables: readonly string[]): Promise<string[]> {
  const views = await tx<{ name: string; object: string }[]>`
    with recursive above as (
      select t::oid as oid, 0 as depth from unnest(${[...tables]}::text[]) t
      union
      select w.ev_class, a.depth + 1
      from above a
      join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.oid and d.classid = 'pg_rewrite'::regclass
      join pg_rewrite w on w.oid = d.objid and w.ev_class <> a.oid and w.rulename = '_RETURN'
    )
    select format('%I.%I', n.nspname, c.relname) as name
    from above a join pg_class c on c.oid = a.oid join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'm' and c.relispopulated
    group by n.nspname, c.relname order by max(a.depth)`;
  for (const { name } of views) await tx.unsafe(`refresh materialized view ${name}`);
  return views.map(({ name }) => name);
}
