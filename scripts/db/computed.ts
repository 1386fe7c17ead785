/** Materialized views: what is in them is computed again once what they stand on has come back. */
import type { TransactionSql } from 'postgres';
import { ensureAttic, type Kept, remember } from './attic.ts';
import { qualified } from './names.ts';

/** Notes the ones that hold something; what is to be called after the way back remembers those that are gone. */
export async function noteViews(tx: TransactionSql, version: string): Promise<() => Promise<void>> {
  const before = await populatedViews(tx);
  return async () => {
    const after = await populatedViews(tx);
    const gone = before.filter(({ oid }) => !after.some((view) => view.oid === oid));
    if (gone.length > 0) await ensureAttic(tx);
    for (const { schema, name, oid } of gone) {
      await remember(tx, version, { kind: 'view', schema, relation: name, column: null, details: { oid } });
    }
  };
}

async function populatedViews(tx: TransactionSql): Promise<{ schema: string; name: string; oid: string }[]> {
  return await tx<{ schema: string; name: string; oid: string }[]>`
    select n.nspname as schema, c.relname as name, c.oid::int8::text as oid
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'm' and c.relispopulated order by c.oid`;
}

/**
 * Computes views again that stand on these tables, and those that held something before, those that others stand on first;
 * gives their names.
 */
export async function refreshViews(
  tx: TransactionSql,
  tables: readonly string[],
  kept: readonly Kept[],
): Promise<string[]> {
  const before = kept.map(({ schema, relation }) => qualified(schema, relation));
  const views = await tx<{ name: string }[]>`
    with recursive known as (
      select to_regclass(name)::oid as oid from unnest(${before}::text[]) name
    ),
    above as (
      select t::oid as oid, 0 as depth from unnest(${[...tables]}::text[]) t
      union
      select oid, 0 from known where oid is not null
      union
      select w.ev_class, a.depth + 1
      from above a
      join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.oid and d.classid = 'pg_rewrite'::regclass
      join pg_rewrite w on w.oid = d.objid and w.ev_class <> a.oid and w.rulename = '_RETURN'
    )
    select format('%I.%I', n.nspname, c.relname) as name
    from above a join pg_class c on c.oid = a.oid join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'm' and (c.relispopulated or c.oid in (select oid from known))
    group by n.nspname, c.relname order by max(a.depth)`;
  for (const { name } of views) await tx.unsafe(`refresh materialized view ${name}`);
  return views.map(({ name }) => name);
}
