/** Puts rows and values of the attic into their tables. What refers to something that is gone stays in the attic. */
import type { TransactionSql } from 'postgres';
import { atticTable, type Kept } from './attic.ts';
import { uniqueOver } from './constraints.ts';
import { type ForeignKey, isOrphan, type Touched } from './foreign-keys.ts';
import { qualified, quote } from './names.ts';
import { namesOf, ownRows, printOf, sameKey } from './rows.ts';
import type { Column, Relation } from './structure.ts';

/** A column whose values come back, with its place in the attic. */
export interface Returning {
  entry: Kept;
  column: Column;
}

/** Foreign keys between what comes back, and those to tables that nothing comes back to. */
export interface Keys {
  inside: ForeignKey[];
  outside: ForeignKey[];
}

/** What comes back to one table: its rows, or values of some of its columns. */
export interface Target {
  relation: Relation;
  table?: Kept;
  columns: Returning[];
}

export function tableName({ relation }: Target): string {
  return qualified(relation.schema, relation.name);
}

export function touchedBy({ relation, table, columns }: Target): Touched {
  return { oid: relation.oid, numbers: table ? null : columns.map(({ column }) => column.number) };
}

/** Columns of a table that it had when it was moved aside, too. */
export function sharedColumns({ relation, table }: Target): Column[] {
  return relation.columns.filter(
    ({ name, generated }) => !generated && table?.details.columns.some((column) => column.name === name),
  );
}

/** Whole rows; early, while the version still runs, beside those that it has brought. */
export async function fillRows(
  tx: TransactionSql,
  target: Target,
  { outside }: Keys,
  { early }: { early: boolean },
): Promise<void> {
  const columns = sharedColumns(target);
  const names = columns.map(({ name }) => quote(name)).join(', ');
  const values = columns.map(({ name, type }) => `a.${quote(name)}::${type}`).join(', ');
  await tx.unsafe(`
    insert into ${tableName(target)} (${names}) overriding system value
    select ${values} from ${atticTable(target.table?.id ?? '')} a where ${fits(target, columns, outside)}
    ${early ? 'on conflict do nothing' : ''}`);
}

/** Forgets the rows that {@link fillRows} has put back; gives how many these are. */
export async function takenRows(tx: TransactionSql, target: Target, { outside }: Keys): Promise<number> {
  const condition = fits(target, sharedColumns(target), outside);
  const result = await tx.unsafe(`delete from ${atticTable(target.table?.id ?? '')} a where ${condition}`);
  return result.count;
}

function fits({ relation }: Target, columns: readonly Column[], outside: readonly ForeignKey[]): string {
  const expression = (name: string) => {
    const type = columns.find((column) => column.name === name)?.type;
    return type === undefined ? 'null' : `a.${quote(name)}::${type}`;
  };
  const orphans = outside
    .filter(({ child }) => child === relation.oid)
    .map((key) => isOrphan(key, expression));
  return orphans.length === 0 ? 'true' : `not (${orphans.join(' or ')})`;
}

/** Marks values that stay, and remembers what is in the place of those that may have to. */
export async function prepareValues(
  tx: TransactionSql,
  target: Target,
  { inside, outside }: Keys,
): Promise<void> {
  const { relation, columns } = target;
  for (const { entry, column } of columns) {
    const table = atticTable(entry.id);
    const row = `from ${ownRows(relation)} t where ${sameKey(entry.details, relation)}`;
    await tx.unsafe(`
      alter table ${table} add column if not exists stays boolean not null default false;
      update ${table} set stays = false where stays;
      ${entry.details.isWhole ? keepUnfound(entry, relation) : `delete from ${table} a where not exists (select ${row})`}`);
    if (!inside.some((key) => isOf(key, target, column))) continue;
    await tx.unsafe(`
      alter table ${table} add column if not exists fresh text;
      update ${table} a set fresh = t.${quote(column.name)}::text ${row}`);
  }
  for (const key of outside.filter(({ child }) => child === relation.oid)) {
    for (const { entry } of columns.filter(({ column }) => isOf(key, target, column))) {
      await tx.unsafe(`
        update ${atticTable(entry.id)} set stays = true from (
          select ${alias(entry)}.ctid as place from ${source(target)} where ${isOrphan(key, valueIn(target))}
        ) orphan where ${atticTable(entry.id)}.ctid = orphan.place`);
    }
  }
}

/** Where all of a row is its key, one that is not found may have changed: what was kept of it stays, and so where there are more. */
function keepUnfound({ id, details }: Kept, relation: Relation): string {
  return `
    update ${atticTable(id)} set stays = true where key_0 not in (
      select key_0 from (select key_0, count(*) as rows from ${atticTable(id)} group by key_0) kept
      join (select ${printOf(namesOf(details, relation))} as key_0, count(*) as rows from ${ownRows(relation)} t group by 1) now
      using (key_0, rows))`;
}

function isOf(key: ForeignKey, { relation }: Target, { name }: Column): boolean {
  return key.child === relation.oid && key.from.includes(name);
}

/** All values of a table at once, so that its checks see whole rows. */
export async function fillValues(tx: TransactionSql, target: Target): Promise<void> {
  const { relation, columns } = target;
  if (columns.length === 0) return;
  const value = valueIn(target);
  const always = await identities(tx, relation, 'a');
  const held = columns.filter(({ column }) => always.includes(column.name));
  const identity = async (how: string) => {
    for (const { column } of held)
      await tx.unsafe(
        `alter table ${tableName(target)} alter column ${quote(column.name)} set generated ${how}`,
      );
  };
  await identity('by default');
  await drawAnew(tx, target);
  await tx.unsafe(`
    update ${ownRows(relation)} t
    set ${columns.map(({ column }) => `${quote(column.name)} = ${value(column.name)}`).join(', ')}
    from ${source(target)}
    where s.ctid = t.ctid and s.tableoid = t.tableoid and (${columns.map(({ entry }) => `${alias(entry)}.stays is false`).join(' or ')})`);
  await tx.unsafe('set constraints all immediate');
  await identity('always');
}

/** Numbers that new rows have got from a sequence, where the ones that come back are the same. */
async function drawAnew(tx: TransactionSql, { relation, columns }: Target): Promise<void> {
  const drawn = await drawnColumns(tx, relation);
  for (const { entry, column } of columns.filter(({ column }) => drawn.includes(column.name))) {
    const name = quote(column.name);
    await tx.unsafe(`
      update ${ownRows(relation)} t set ${name} = default
      where not exists (select from ${atticTable(entry.id)} a where ${sameKey(entry.details, relation)})
        and t.${name} in (select value::${column.type} from ${atticTable(entry.id)})`);
  }
}

/** Columns that a sequence fills. */
export async function drawnColumns(tx: TransactionSql, { oid }: Relation): Promise<string[]> {
  const rows = await tx<{ name: string }[]>`
    select a.attname::text as name from pg_attribute a
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = ${oid}::oid and a.attgenerated = ''
      and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) ~* 'nextval')`;
  return rows.map(({ name }) => name);
}

async function identities(tx: TransactionSql, { oid }: Relation, kind: 'a' | 'd'): Promise<string[]> {
  const rows = await tx<{ name: string }[]>`
    select attname::text as name from pg_attribute where attrelid = ${oid}::oid and attidentity = ${kind}`;
  return rows.map(({ name }) => name);
}

/** Whether a table has rows of which nothing was kept. */
export async function hasNewRows(tx: TransactionSql, { relation, columns }: Target): Promise<boolean> {
  for (const { entry } of columns.filter(({ entry }) => entry.details.complete)) {
    const found = await tx.unsafe(
      `select from ${ownRows(relation)} t where ${isBeside(entry, relation)} limit 1`,
    );
    if (found.length > 0) return true;
  }
  return false;
}

/** Takes the preset of columns from rows of which nothing was kept; fails where they must have a value. */
export async function takePresets(
  tx: TransactionSql,
  { relation, columns }: Target,
  preset: readonly string[],
): Promise<void> {
  for (const { entry, column } of columns.filter(({ column }) => preset.includes(column.name)))
    await tx.unsafe(
      `update ${ownRows(relation)} t set ${quote(column.name)} = null where ${isBeside(entry, relation)}`,
    );
}

function isBeside(entry: Kept, relation: Relation): string {
  return `not exists (select from ${atticTable(entry.id)} a where ${sameKey(entry.details, relation)})`;
}

/** Takes out again what refers to something that did not come back; gives how many rows and values these are. */
export async function takeOrphans(tx: TransactionSql, target: Target, { inside }: Keys): Promise<number> {
  const { relation, table, columns } = target;
  let found = 0;
  for (const key of inside.filter(({ child, validated }) => validated && child === relation.oid)) {
    const orphan = isOrphan(key, (name) => `t.${quote(name)}`);
    if (table) {
      const names = sharedColumns(target).map(({ name }) => quote(name));
      const result = await tx.unsafe(`
        with gone as (delete from ${ownRows(relation)} t where ${orphan} returning t.*)
        insert into ${atticTable(table.id)} (${names.join(', ')}) select ${names.join(', ')} from gone`);
      found += result.count;
    } else {
      found += await putFreshBack(tx, target, key, orphan, columns);
    }
  }
  return found;
}

async function putFreshBack(
  tx: TransactionSql,
  { relation }: Target,
  key: ForeignKey,
  orphan: string,
  columns: readonly Returning[],
): Promise<number> {
  const marked = columns.filter(({ column }) => key.from.includes(column.name));
  let found = 0;
  for (const { entry } of marked) {
    const result = await tx.unsafe(`
      update ${atticTable(entry.id)} a set stays = true from ${ownRows(relation)} t
      where not a.stays and ${sameKey(entry.details, relation)} and ${orphan}`);
    found += result.count;
  }
  for (const { entry, column } of found > 0 ? marked : []) {
    await tx.unsafe(`
      update ${ownRows(relation)} t set ${quote(column.name)} = a.fresh::${column.type} from ${atticTable(entry.id)} a
      where a.stays and ${sameKey(entry.details, relation)}`);
  }
  return found;
}

/** Forgets the values that are back; gives how many these are. */
export async function takenValues(tx: TransactionSql, { entry }: Returning): Promise<number> {
  const result = await tx.unsafe(`delete from ${atticTable(entry.id)} where not stays`);
  return result.count;
}

/** What asks of the columns that their values differ. */
export async function uniqueOf(tx: TransactionSql, { relation, columns }: Target) {
  return await uniqueOver(
    tx,
    relation.oid,
    columns.map(({ column }) => column.number),
  );
}

/** The rows of a table, `s`, each with what was kept of it. */
function source({ relation, columns }: Target): string {
  const joins = columns.map(
    ({ entry }) =>
      `left join ${atticTable(entry.id)} ${alias(entry)} on ${sameKey(entry.details, relation, { row: 's', attic: alias(entry) })}`,
  );
  return [`${ownRows(relation)} s`, ...joins].join(' ');
}

/** What a column holds when values have come back. */
function valueIn({ columns }: Target): (name: string) => string {
  return (name) => {
    const found = columns.find(({ column }) => column.name === name);
    if (!found) return `s.${quote(name)}`;
    const kept = alias(found.entry);
    return `case when ${kept}.stays is false then ${kept}.value::${found.column.type} else s.${quote(name)} end`;
  };
}

function alias({ id }: Kept): string {
  return `kept_${id}`;
}
