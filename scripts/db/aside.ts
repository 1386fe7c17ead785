/** Moves aside what the way back of a version is about to drop. */
import type { TransactionSql } from 'postgres';
import { atticTable, ensureAttic, objectOf, remember, settleRows } from './attic.ts';
import { qualified, quote, readable } from './names.ts';
import { Problem } from './problem.ts';
import { quietly } from './quiet.ts';
import { nameOf } from './risks.ts';
import { ownRows, printOf, sameKey } from './rows.ts';
import { positionOf } from './sequences.ts';
import {
  type Column,
  compareStructures,
  type Effect,
  type Relation,
  readStructure,
  type Structure,
} from './structure.ts';

/** What was moved aside, for people. */
export interface MovedAside {
  object: string;
  rows: number;
}

/** Something in the attic whose rows are settled once the way back has run. */
interface Item {
  id: string;
  object: string;
  isTable?: boolean;
  /** Of a changed type: which values the other type did not hold is known only afterwards. */
  changed?: { relation: Relation; column: Column; key: Column[] };
}

/** An enum column of a table without a key, whose values must be the same afterwards. */
interface Counted {
  relation: Relation;
  column: Column;
  tally: Map<string | null, number>;
}

/** What tells rows apart whose values are kept. */
interface KeptKey {
  columns: Column[];
  /** Whether these are all that they have. */
  isWhole?: boolean;
  /** Numbers of partitions whose rows are not among them. */
  without?: readonly string[] | undefined;
}

/**
 * Copies into the attic what will be lost, and gives what is to be called when the way back has run: that makes sure
 * that nothing else is gone. Which things will be lost was found out on a shadow of the same version. `brings`: whether
 * the version fills tables and columns by itself.
 */
export async function moveAside(
  tx: TransactionSql,
  version: string,
  effects: readonly Effect[],
  { allowLoss, brings }: { allowLoss: boolean; brings: boolean },
): Promise<() => Promise<MovedAside[]>> {
  const losses = effects.filter(isLoss);
  if (losses.length > 0) await ensureAttic(tx);
  await lockTables(tx, losses);
  const before = await readStructure(tx);
  const items: Item[] = [];
  const counted: Counted[] = [];
  // Rows that a policy hides would be lost: where this role may not pass it, PostgreSQL says so.
  await tx.unsafe('set local row_security = off');
  const relations = losses.flatMap((loss) => named(before, loss.relation) ?? []);
  const keepAll = async () => {
    for (const loss of losses) {
      const item = await keep(tx, version, loss, before, losses, { allowLoss, brings });
      if (item) 'tally' in item ? counted.push(item) : items.push(item);
    }
  };
  await quietly(tx, relations, keepAll, { triggers: false });
  await tx.unsafe('set local row_security to default');
  return async () => {
    const after = await readStructure(tx);
    expectNothingElse(before, after, losses);
    for (const item of counted) await expectSameValues(tx, item, after);
    const moved: MovedAside[] = [];
    for (const { id, object, isTable, changed } of items) {
      if (changed) await keepChanged(tx, id, changed, after);
      // That a table had no rows says something where the version brings some.
      const rows = await settleRows(tx, id, { isAnswer: brings && isTable === true });
      if (rows > 0) moved.push({ object, rows });
    }
    return moved;
  };
}

function isLoss({ kind }: Effect): boolean {
  return (
    kind === 'table-lost' || kind === 'column-lost' || kind === 'sequence-lost' || kind === 'type-changed'
  );
}

/** Before anything is read, in one order, so that two commands do not wait for each other. */
async function lockTables(tx: TransactionSql, losses: readonly Effect[]): Promise<void> {
  const tables = losses
    .filter(({ relation }) => relation.kind !== 'S')
    .map(({ relation }) => qualified(relation.schema, relation.name));
  for (const table of [...new Set(tables)].sort()) {
    await tx.unsafe(`lock table ${table} in access exclusive mode`);
  }
}

async function keep(
  tx: TransactionSql,
  version: string,
  loss: Effect,
  structure: Structure,
  losses: readonly Effect[],
  { allowLoss, brings }: { allowLoss: boolean; brings: boolean },
): Promise<Item | Counted | undefined> {
  const relation = named(structure, loss.relation);
  // What the shadow has and the database has not, the way back will miss by itself.
  if (!relation) return undefined;
  switch (loss.kind) {
    case 'sequence-lost':
      return await keepPosition(tx, version, relation);
    case 'table-lost':
      // The rows of a partition are among those of the table.
      if (losses.some(({ kind, relation: { oid } }) => kind === 'table-lost' && oid === loss.relation.parent))
        return undefined;
      return await keepTable(tx, version, relation);
    case 'column-lost':
    case 'type-changed': {
      const column = relation.columns.find(({ name }) => name === loss.column.name);
      if (!column || column.generated || isWithParent(loss, losses)) return undefined;
      const key = await keyOf(tx, relation, columnsOf(loss.relation, losses, ['column-lost']));
      if (key) return await keepColumn(tx, version, loss.kind, relation, column, { columns: key }, brings);
      if (loss.kind === 'column-lost') {
        // Rows of partitions that go come back with these.
        const without = losses.flatMap((other) =>
          other.kind === 'table-lost' ? (named(structure, other.relation)?.oid ?? []) : [],
        );
        const others = columnsOf(loss.relation, losses, ['column-lost', 'type-changed']);
        const whole = relation.columns.filter(({ name, generated }) => !generated && !others.includes(name));
        const key = { columns: whole, isWhole: true, without };
        const alike = await countAlike(tx, relation, column, key);
        if (alike === 0) return await keepColumn(tx, version, loss.kind, relation, column, key, brings);
        if (!allowLoss) throw notTold(relation, column, alike);
      }
      if (allowLoss) return undefined;
      // Without a key only the same values as before will do.
      if (loss.kind === 'type-changed' && column.labels)
        return { relation, column, tally: await tally(tx, relation, column) };
      throw noKey(relation, column);
    }
    default:
      return undefined;
  }
}

/** The columns of a table that are lost, or get another type. */
function columnsOf({ oid }: Relation, losses: readonly Effect[], kinds: readonly Effect['kind'][]): string[] {
  return losses.flatMap((other) =>
    kinds.includes(other.kind) && other.relation.oid === oid && 'column' in other ? [other.column.name] : [],
  );
}

/** The values of a partition are among those of the table. */
function isWithParent(loss: Effect, losses: readonly Effect[]): boolean {
  return losses.some(
    (other) =>
      other.kind === loss.kind &&
      other.relation.oid === loss.relation.parent &&
      'column' in other &&
      'column' in loss &&
      other.column.name === loss.column.name,
  );
}

async function keepPosition(tx: TransactionSql, version: string, relation: Relation): Promise<undefined> {
  const { schema, name, oid } = relation;
  const details = { oid, ...(await positionOf(tx, relation)) };
  await remember(tx, version, { kind: 'sequence', schema, relation: name, column: null, details });
}

async function keepTable(tx: TransactionSql, version: string, relation: Relation): Promise<Item> {
  const columns = relation.columns.filter(({ generated }) => !generated);
  const details = { oid: relation.oid, columns: columns.map(({ number, name }) => ({ number, name })) };
  const entry = {
    kind: 'table' as const,
    schema: relation.schema,
    relation: relation.name,
    column: null,
    details,
  };
  const id = await remember(tx, version, entry);
  const list = columns.map((column) => `${storable(column)} as ${quote(column.name)}`).join(', ');
  await tx.unsafe(`create table ${atticTable(id)} as select ${list} from ${ownRows(relation)}`);
  return { id, object: objectOf(entry), isTable: true };
}

async function keepColumn(
  tx: TransactionSql,
  version: string,
  loss: 'column-lost' | 'type-changed',
  relation: Relation,
  column: Column,
  { columns: key, isWhole = false, without }: KeptKey,
  brings: boolean,
): Promise<Item> {
  // That there is no value says something where the version gives one, and where rows are counted.
  const complete = isWhole || (loss === 'column-lost' && (column.filled || brings));
  const entry = {
    kind: loss === 'column-lost' ? ('column' as const) : ('values' as const),
    schema: relation.schema,
    relation: relation.name,
    column: column.name,
    details: {
      oid: relation.oid,
      number: column.number,
      columns: key.map(({ number, name }) => ({ number, name })),
      isWhole,
      complete,
    },
  };
  const id = await remember(tx, version, entry);
  const keys = isWhole
    ? [`${printOf(key.map(({ name }) => name))} as key_0`]
    : key.map((part, index) => `${storable(part)} as key_${index}`);
  await tx.unsafe(`
    create table ${atticTable(id)} as select ${[...keys, `${storable(column)} as value`].join(', ')}
    from ${ownRows(relation)} t where ${isWithout({ without })} ${complete ? '' : `and ${quote(column.name)} is not null`}`);
  const changed = { relation, column, key };
  return { id, object: objectOf(entry), ...(loss === 'type-changed' && { changed }) };
}

function isWithout({ without = [] }: Pick<KeptKey, 'without'>): string {
  return without.length > 0 ? `t.tableoid <> all ('{${without.join(',')}}'::oid[])` : 'true';
}

/** How many rows of a table without a key are the same but for a column: nothing tells whose its values are. */
async function countAlike(
  tx: TransactionSql,
  relation: Relation,
  column: Column,
  key: KeptKey,
): Promise<number> {
  const value = `t.${quote(column.name)}`;
  const [row] = await tx.unsafe<{ rows: string }[]>(`
    select coalesce(sum(rows), 0)::text as rows from (
      select count(*) as rows from ${ownRows(relation)} t where ${isWithout(key)}
      group by ${printOf(key.columns.map(({ name }) => name))}
      having count(distinct ${value}::text) + bool_or(${value} is null)::int > 1) alike`);
  return Number(row?.rows ?? 0);
}

function notTold(relation: Relation, column: Column, alike: number): Problem {
  return new Problem(
    'no-key',
    `The values of ${nameOf(relation)}.${readable(column.name)} would be lost: ${nameOf(relation)} has no primary key, nor unique columns that are not null, and ${alike} of its rows are the same but for them.`,
    'Add a key, or take the loss: --allow-data-loss. Nothing was changed.',
  );
}

/** How often each value is there, as text. */
async function tally(tx: TransactionSql, relation: Relation, column: Column): Promise<Counted['tally']> {
  const rows = await tx.unsafe<{ value: string | null; rows: string }[]>(`
    select ${quote(column.name)}::text as value, count(*) as rows
    from ${ownRows(relation)} group by 1`);
  return new Map(rows.map(({ value, rows }) => [value, Number(rows)]));
}

async function expectSameValues(
  tx: TransactionSql,
  { relation, column, tally: before }: Counted,
  after: Structure,
): Promise<void> {
  const now = after.get(relation.oid);
  const same = now?.columns.find(({ number }) => number === column.number);
  const left = now && same ? await tally(tx, now, same) : before;
  const lost = [...before].map(([value, rows]) => Math.max(0, rows - (left.get(value) ?? 0)));
  const rows = lost.reduce((sum, count) => sum + count, 0);
  if (rows > 0) throw noKey(relation, column, rows);
}

function noKey(relation: Relation, column: Column, rows?: number): Problem {
  const what = rows === undefined ? 'The values' : rows === 1 ? '1 value' : `${rows} values`;
  return new Problem(
    'no-key',
    `${what} of ${nameOf(relation)}.${readable(column.name)} would be lost: ${nameOf(relation)} has no primary key, nor unique columns that are not null, by which they could be put back.`,
    'Add one, or take the loss: --allow-data-loss. Nothing was changed.',
  );
}

/** Of a changed type only those values stay that the other type does not hold, each with what became of it. */
async function keepChanged(
  tx: TransactionSql,
  id: string,
  { relation, column, key }: NonNullable<Item['changed']>,
  after: Structure,
): Promise<void> {
  const now = after.get(relation.oid);
  const written = now?.columns.find(({ number }) => number === column.number);
  if (!now || !written) return;
  await tx.unsafe(`
    alter table ${atticTable(id)} add column written text;
    update ${atticTable(id)} a set written = t.${quote(written.name)}::text
    from ${ownRows(now)} t where ${sameKey({ oid: relation.oid, columns: key }, now)};
    delete from ${atticTable(id)} where written is not distinct from value::text`);
}

/** Types that a version may drop are kept as text, which they can be read from again. */
export function storable({ name, asText }: Column): string {
  return `${quote(name)}${asText ? '::text' : ''}`;
}

/** The columns that tell rows apart and stay: the primary key, or another unique index without nulls. */
export async function keyOf(
  tx: TransactionSql,
  relation: Relation,
  gone: readonly string[],
): Promise<Column[] | undefined> {
  const indexes = await tx<{ numbers: number[] }[]>`
    select string_to_array(i.indkey::text, ' ')::int[] as numbers
    from pg_index i
    where i.indrelid = ${relation.oid}::oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
      and i.indnkeyatts = i.indnatts
      and not exists (
        select from unnest(i.indkey::int2[]) k
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k
        where not a.attnotnull)
    order by i.indisprimary desc, i.indexrelid`;
  for (const { numbers } of indexes) {
    const columns = numbers.map((number) => relation.columns.find((column) => column.number === number));
    if (columns.every((column) => column !== undefined && !gone.includes(column.name)))
      return columns as Column[];
  }
  return undefined;
}

function named(structure: Structure, { schema, name }: Relation): Relation | undefined {
  return [...structure.values()].find((relation) => relation.schema === schema && relation.name === name);
}

/** The last guard: what vanished in this transaction must be what was moved aside. */
function expectNothingElse(before: Structure, after: Structure, losses: readonly Effect[]): void {
  const name = (effect: Effect) =>
    [effect.kind, nameOf(effect.relation), 'column' in effect ? effect.column.name : ''].join(' ');
  const known = new Set(losses.map(name));
  const others = compareStructures(before, after).filter(
    (effect) => isLoss(effect) && effect.kind !== 'sequence-lost' && !known.has(name(effect)),
  );
  if (others.length === 0) return;
  throw new Problem(
    'unsafe-way-back',
    `The way back would also drop or change what it was not expected to: ${others.map(name).join(', ')}.`,
    'On a database that the versions alone have made it did not: db check tells what this one has beside that. Nothing was changed.',
  );
}
