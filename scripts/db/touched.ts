/**
 * Rows of tables that stay, which a way back, or the version when it is applied again, deletes or writes over: values are kept
 * for the version, and what does not come back is told.
 */
import type { TransactionSql } from 'postgres';
import { keyOf, type MovedAside, storable } from './aside.ts';
import { atticTable, ensureAttic, forget, objectOf, remember, settleRows } from './attic.ts';
import { qualified, quote, readable } from './names.ts';
import { nameOf } from './risks.ts';
import { ownRows, printOf } from './rows.ts';
import { type Column, type Effect, type Relation, readStructure, type Structure } from './structure.ts';

/** A table whose rows were noted for this transaction, as they are at the version. */
export interface Touched {
  relation: Relation;
  /** What can be written in it. */
  columns: Column[];
  /** What tells its rows apart, and stays. */
  key: Column[] | undefined;
  /** What is kept of its values, by the number of the column. */
  kept: Map<number, string>;
}

/** What a version that is applied again does not bring back. */
export interface Missing {
  /** Rows, in words. */
  rows: string[];
  /** Columns, with how many of their values are others. */
  values: { touched: Touched; column: Column; rows: number }[];
}

/** Tries a way back, gives that up, and notes the rows of tables that stay and that it writes, and of those that are known. */
export async function noteTouched(
  tx: TransactionSql,
  effects: readonly Effect[],
  { wayBack, known }: { wayBack: (() => Promise<void>) | undefined; known: ReadonlySet<string> },
): Promise<Touched[]> {
  const before = await readStructure(tx);
  const found = new Set(known);
  if (wayBack) {
    await tx.unsafe('savepoint trial');
    for (const oid of await tablesWritten(tx, before, wayBack)) found.add(oid);
    await tx.unsafe('rollback to savepoint trial');
  }
  const written = [...found].flatMap((oid) => before.get(oid) ?? []);
  // What others write from here on would look as if the way back had done it.
  const names = written.map(({ schema, name }) => qualified(schema, name)).sort();
  if (names.length > 0) await tx.unsafe(`lock table ${names.join(', ')} in share row exclusive mode`);
  const all: Touched[] = [];
  await tx.unsafe('set local row_security = off');
  for (const relation of written) {
    const columns = relation.columns.filter(({ generated }) => !generated);
    const list = columns.map((column) => `${storable(column)} as ${quote(column.name)}`).join(', ');
    await tx.unsafe(`create temporary table ${noted(relation)} as select ${list} from ${ownRows(relation)}`);
    const gone = effects.flatMap((effect) =>
      effect.kind === 'column-lost' && effect.relation.oid === relation.oid ? [effect.column.name] : [],
    );
    all.push({ relation, columns, key: await keyOf(tx, relation, gone), kept: new Map() });
  }
  await tx.unsafe('set local row_security to default');
  return all;
}

/** Tables that were there before some work and after it, and of which it has deleted or updated rows. */
export async function tablesWritten(
  tx: TransactionSql,
  before: Structure,
  work: () => Promise<void>,
): Promise<string[]> {
  const counts = await writes(tx);
  await work();
  const [after, now] = [await readStructure(tx), await writes(tx)];
  return [...before.values()]
    .filter(
      ({ oid, kind, file }) =>
        kind === 'r' && after.has(oid) && (now.get(oid) !== counts.get(oid) || after.get(oid)?.file !== file),
    )
    .map(({ oid }) => oid);
}

/** How many rows of each table this transaction has deleted or updated, also where that was given up again. */
async function writes(tx: TransactionSql): Promise<Map<string, string>> {
  const rows = await tx<{ oid: string; count: string }[]>`
    select relid::int8::text as oid, (n_tup_del + n_tup_upd)::text as count from pg_stat_xact_user_tables
    where n_tup_del + n_tup_upd > 0`;
  return new Map(rows.map(({ oid, count }) => [oid, count]));
}

/** Keeps for the version, once its way back has run, the values that this has changed. */
export async function keepChanged(
  tx: TransactionSql,
  version: string,
  all: readonly Touched[],
): Promise<MovedAside[]> {
  const moved: MovedAside[] = [];
  const structure = all.length > 0 ? await readStructure(tx) : new Map<string, Relation>();
  for (const touched of all) {
    for (const { column } of await othersIn(tx, touched, structure, 'number'))
      moved.push(await keepValues(tx, version, touched, column, { all: false }));
  }
  return moved;
}

/** Keeps the values of a column, all of them or those that are others now. */
export async function keepValues(
  tx: TransactionSql,
  version: string,
  { relation, key = [], kept }: Touched,
  column: Column,
  { all }: { all: boolean },
): Promise<MovedAside> {
  const now = (await readStructure(tx)).get(relation.oid);
  const own = (part: Column) => now?.columns.find(({ number }) => number === part.number) ?? part;
  const called = (part: Column) => quote(own(part).name);
  const before = kept.get(column.number);
  if (before !== undefined) await forget(tx, before);
  await ensureAttic(tx);
  const entry = {
    kind: 'values' as const,
    schema: relation.schema,
    relation: relation.name,
    column: column.name,
  };
  const id = await remember(tx, version, {
    ...entry,
    details: {
      oid: relation.oid,
      number: column.number,
      columns: key.map(({ number, name }) => ({ number, name })),
    },
  });
  const value = quote(column.name);
  const list = [
    ...key.map((part, index) => `n.${quote(part.name)} as key_${index}`),
    `n.${value} as value`,
    `t.${called(column)}::text as written`,
  ];
  await tx.unsafe(`
    create table ${atticTable(id)} as select ${list.join(', ')}
    from ${noted(relation)} n join ${ownRows(now ?? relation)} t
    on ${key.map((part) => `t.${called(part)} = n.${quote(part.name)}::${own(part).type}`).join(' and ')}
    where ${all} or t.${called(column)}::text is distinct from n.${value}::text`);
  kept.set(column.number, id);
  return { object: objectOf(entry), rows: await settleRows(tx, id) };
}

/** What is not as it was noted, once the version has been applied again. */
export async function missingIn(tx: TransactionSql, all: readonly Touched[]): Promise<Missing> {
  const missing: Missing = { rows: [], values: [] };
  const structure = all.length > 0 ? await readStructure(tx) : new Map<string, Relation>();
  for (const touched of all) {
    const gone = await goneFrom(tx, touched, structure);
    if (gone !== undefined) missing.rows.push(gone);
    missing.values.push(...(await othersIn(tx, touched, structure, 'name')));
  }
  return missing;
}

export function otherValues({ touched: { relation }, column, rows }: Missing['values'][number]): string {
  return `the values of ${rows} ${rows === 1 ? 'row' : 'rows'} in ${nameOf(relation)}.${readable(column.name)}, over which the version writes, would not come back`;
}

async function goneFrom(
  tx: TransactionSql,
  touched: Touched,
  structure: Structure,
): Promise<string | undefined> {
  const { relation, key } = touched;
  const now = structure.get(relation.oid);
  if (!now) return undefined;
  const columns =
    key ?? touched.columns.filter(({ name }) => now.columns.some((column) => column.name === name));
  const print = (row: string) =>
    printOf(
      columns.map(({ name }) => name),
      row,
    );
  const [row] = await tx.unsafe<{ rows: string }[]>(`
    select count(*) as rows from (
      select ${print('n')} from ${noted(relation)} n except all select ${print('t')} from ${ownRows(now)} t) gone`);
  const rows = Number(row?.rows ?? 0);
  if (rows === 0) return undefined;
  const why = key
    ? 'which the way back or the version deletes'
    : 'which the way back or the version deletes or writes over, and which no key tells apart';
  return `${rows} ${rows === 1 ? 'row' : 'rows'} of ${nameOf(relation)}, ${why}, would not come back`;
}

/** The columns that have other values than those that were noted; found by number where the version is taken back, else by name. */
async function othersIn(
  tx: TransactionSql,
  touched: Touched,
  structure: Structure,
  by: 'number' | 'name',
): Promise<Missing['values']> {
  const { relation, columns, key } = touched;
  const now = structure.get(relation.oid);
  if (!now || !key) return [];
  const find = (column: Column) =>
    now.columns.find(
      (other) => other[by] === column[by] && other.typeId === column.typeId && other.type === column.type,
    );
  const keys = key.map((part) => [part, find(part)] as const);
  // Where the key has another type meanwhile, the rest is not compared yet.
  if (keys.some(([, own]) => own === undefined)) return [];
  const pairs = columns.flatMap((column) => {
    const own = find(column);
    return own && !key.includes(column) ? [{ column, own }] : [];
  });
  if (pairs.length === 0) return [];
  const counts = pairs.map(
    ({ column, own }, index) =>
      `count(*) filter (where t.${quote(own.name)}::text is distinct from n.${quote(column.name)}::text)::text as c${index}`,
  );
  const same = keys.map(([part, own]) => `t.${quote(own?.name ?? '')} = n.${quote(part.name)}::${part.type}`);
  const [row] = await tx.unsafe<Record<string, string>[]>(
    `select ${counts.join(', ')} from ${noted(relation)} n join ${ownRows(now)} t on ${same.join(' and ')}`,
  );
  return pairs.flatMap(({ column }, index) => {
    const rows = Number(row?.[`c${index}`] ?? 0);
    return rows > 0 ? [{ touched, column, rows }] : [];
  });
}

export async function forgetNotes(tx: TransactionSql, all: readonly Touched[]): Promise<void> {
  for (const { relation } of all) await tx.unsafe(`drop table if exists ${noted(relation)}`);
}

function noted({ oid }: Pick<Relation, 'oid'>): string {
  return `pg_temp.imago_before_${oid}`;
}
