/**
 * What a version brings by itself, and what has become of it since: rows and values that it brings again as it did when it
 * was taken back are those that were kept; others come from what people have written meanwhile.
 */
import type { TransactionSql } from 'postgres';
import { atticTable, broughtTable, type Kept } from './attic.ts';
import { drawnColumns, type Returning, sharedColumns, type Target, tableName } from './filling.ts';
import { quote } from './names.ts';
import { namesOf, ownRows, printOf, sameKey } from './rows.ts';
import type { Column, Relation } from './structure.ts';

/** Prints of rows: by the key, and by what is in them, each where it says something. */
export interface Brought {
  keys: (string | null)[];
  prints: (string | null)[];
}

/**
 * Reads what a version has brought into a table that rows come back to. Where it writes something else each time, only
 * keys tell rows apart.
 */
export async function readBroughtRows(
  tx: TransactionSql,
  target: Target,
  { isSteady, filledEarly }: { isSteady: boolean; filledEarly: boolean },
): Promise<Brought | undefined> {
  const { key, print, isKeyed } = await printsOf(tx, target.relation);
  if (!isSteady && !isKeyed) return undefined;
  const others = filledEarly ? `where not ${isKept(target)}` : '';
  return await readPrints(tx, target.relation, key, isSteady ? print : 'null::text', others);
}

/** Reads what a version has given to a column that values come back to; nothing where that differs each time. */
export async function readBroughtValues(
  tx: TransactionSql,
  { relation }: Target,
  { entry, column }: Returning,
): Promise<Brought | undefined> {
  const steady = await steadyColumns(tx, relation);
  if (!steady.some(({ name }) => name === column.name)) return undefined;
  return await readPrints(tx, relation, keyPrint(entry, relation), valuePrint(column));
}

async function readPrints(
  tx: TransactionSql,
  relation: Relation,
  key: string,
  print: string,
  where = '',
): Promise<Brought> {
  const rows = await tx.unsafe<{ key: string | null; print: string | null }[]>(
    `select ${key} as key, ${print} as print from ${ownRows(relation)} t ${where}`,
  );
  return { keys: rows.map((row) => row.key), prints: rows.map((row) => row.print) };
}

/** Writes it down for the next upgrade. */
export async function rememberBrought(tx: TransactionSql, id: string, { keys, prints }: Brought) {
  await tx.unsafe(`create table ${broughtTable(id)} (key text, print text)`);
  const size = 10_000;
  for (let from = 0; from < prints.length; from += size) {
    await tx.unsafe(`insert into ${broughtTable(id)} select * from unnest($1::text[], $2::text[])`, [
      keys.slice(from, from + size),
      prints.slice(from, from + size),
    ] as never[]);
  }
}

/** Forgets kept values where the version brings another one now than when it was taken back; gives how many. */
export async function dropOvertaken(
  tx: TransactionSql,
  { relation }: Target,
  { entry, column }: Returning,
): Promise<number> {
  if (!(await isKnown(tx, entry.id))) return 0;
  const result = await tx.unsafe(`
    delete from ${atticTable(entry.id)} a using ${ownRows(relation)} t, ${broughtTable(entry.id)} b
    where ${sameKey(entry.details, relation)} and b.key = ${keyPrint(entry, relation)} and b.print <> ${valuePrint(column)}`);
  return result.count;
}

/** What a version has brought into a table that rows come back to, once it is set aside. */
export interface SetAside {
  /** Whether there are rows that the version did not bring when it was taken back. */
  isNew: boolean;
}

/**
 * Empties a table before its rows come back. Rows that the version brings now and did not bring when it was taken back
 * are set aside, and so is what it brought then and does not bring now.
 */
export async function setBroughtAside(
  tx: TransactionSql,
  target: Target,
  { filledEarly }: { filledEarly: boolean },
): Promise<SetAside> {
  const { relation, table } = target;
  const id = table?.id ?? '';
  const [fresh, gone] = [freshTable(id), goneTable(id)];
  const { key, print, isKeyed } = await printsOf(tx, relation);
  await tx.unsafe(`
    create table ${fresh} as select ${key} as imago_key, ${print} as imago_print, t.* from ${ownRows(relation)} t;
    create table ${gone} (key text)`);
  if (filledEarly) await tx.unsafe(`delete from ${fresh} t where ${isKept(target)}`);
  if (await isKnown(tx, id)) {
    // Keys that are others each time say nothing.
    await tx.unsafe(`
      delete from ${fresh} where (
        select count(*) > 0 and not bool_or(b.key in (select imago_key from ${fresh})) from ${broughtTable(id)} b where print is null);
      insert into ${gone} select key from ${broughtTable(id)} b
      where key is not null and print is not null and not exists (select from ${fresh} where imago_key = b.key);
      delete from ${fresh} using ${broughtTable(id)} b where b.print is null and b.key = imago_key;
      with now as (
        select ctid as place, imago_print as print, row_number() over (partition by imago_print) as number from ${fresh}
      ), before as (
        select print, count(*) as times from ${broughtTable(id)} group by print
      )
      delete from ${fresh} t using now join before using (print) where t.ctid = now.place and now.number <= before.times`);
  } else if (!isKeyed) {
    // Nothing tells its rows from those that were kept.
    await tx.unsafe(`delete from ${fresh}`);
  }
  await tx.unsafe(`delete from ${ownRows(relation)}`);
  const left = await tx.unsafe(`select from ${fresh} limit 1`);
  return { isNew: left.length > 0 };
}

/** Kept rows that do not come back for what people have written. */
export interface MadeRoom {
  /** Another one of the same key is there. */
  newer: number;
  /** What they were made from is gone: they are in the attic again. */
  gone: number;
}

/** Adds what was set aside to what has come back. */
export async function addBrought(tx: TransactionSql, target: Target, { isNew }: SetAside): Promise<MadeRoom> {
  const { relation } = target;
  const id = target.table?.id ?? '';
  const rows = ownRows(relation);
  const [fresh, gone] = [freshTable(id), goneTable(id)];
  const { key } = await printsOf(tx, relation);
  const known = await isKnown(tx, id);
  const names = sharedColumns(target)
    .map(({ name }) => quote(name))
    .join(', ');
  const left = await tx.unsafe(`
    with gone as (delete from ${rows} t where exists (select from ${gone} where key = ${key}) returning t.*)
    insert into ${atticTable(id)} (${names}) select ${names} from gone`);
  const newer = known
    ? await tx.unsafe(`delete from ${rows} t where exists (select from ${fresh} where imago_key = ${key})`)
    : { count: 0 };
  if (isNew) await insertFresh(tx, target, { known });
  await tx.unsafe(`drop table ${fresh}, ${gone}`);
  return { newer: newer.count, gone: left.count };
}

/** Rows with a number that came back get another one. Where nothing tells what is new, they give way. */
async function insertFresh(tx: TransactionSql, target: Target, { known }: { known: boolean }): Promise<void> {
  const { relation } = target;
  const fresh = freshTable(target.table?.id ?? '');
  const columns = relation.columns.filter(({ generated }) => !generated).map(({ name }) => name);
  const drawn = (await drawnColumns(tx, relation)).filter((name) => relation.key.includes(name));
  const isTaken =
    known && drawn.length > 0
      ? `exists (select from ${ownRows(relation)} k where ${relation.key.map((name) => `k.${quote(name)} = t.${quote(name)}`).join(' and ')})`
      : 'false';
  const insert = async (list: readonly string[], where: string) => {
    const names = list.map(quote).join(', ');
    await tx.unsafe(`
      insert into ${tableName(target)} (${names}) overriding system value select ${names} from ${fresh} t where ${where}
      ${known ? '' : 'on conflict do nothing'}`);
  };
  const others = columns.filter((name) => !drawn.includes(name));
  if (isTaken !== 'false' && others.length > 0) await insert(others, isTaken);
  await insert(columns, `not ${isTaken}`);
}

/** Forgets what a version has brought, once that has been looked at. */
export async function forgetBrought(tx: TransactionSql, id: string): Promise<void> {
  await tx.unsafe(`drop table if exists ${broughtTable(id)}`);
}

async function isKnown(tx: TransactionSql, id: string): Promise<boolean> {
  const [row] = await tx<{ there: boolean }[]>`select to_regclass(${broughtTable(id)}) is not null as there`;
  return row?.there ?? false;
}

/** Of a row `t`: by its key, unless that is drawn again each time, and by what is the same each time. */
async function printsOf(
  tx: TransactionSql,
  relation: Relation,
): Promise<{ key: string; print: string; isKeyed: boolean }> {
  const steady = (await steadyColumns(tx, relation)).map(({ name }) => name);
  const isKeyed = relation.key.length > 0 && relation.key.every((name) => steady.includes(name));
  return {
    key: isKeyed ? printOf(relation.key) : 'null::text',
    print: printOf(steady),
    isKeyed,
  };
}

/** Whether a row `t` is in the attic. */
function isKept(target: Target): string {
  const columns = sharedColumns(target);
  const row = (from: (column: Column) => string) => `row(${columns.map(from).join(', ')})::text`;
  return `exists (select from ${atticTable(target.table?.id ?? '')} a
    where ${row(({ name }) => `t.${quote(name)}`)} = ${row(({ name, type }) => `a.${quote(name)}::${type}`)})`;
}

/** By the key that a kept value has. */
function keyPrint({ details }: Kept, relation: Relation): string {
  return printOf(namesOf(details, relation));
}

function valuePrint({ name }: Column): string {
  return printOf([name]);
}

/** Columns that a version fills in the same way each time: not by a sequence, the clock or chance. */
async function steadyColumns(tx: TransactionSql, relation: Relation): Promise<Column[]> {
  const rows = await tx<{ name: string }[]>`
    select a.attname::text as name from pg_attribute a
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = ${relation.oid}::oid and a.attgenerated = '' and a.attidentity = ''
      and coalesce(pg_get_expr(d.adbin, d.adrelid), '') !~* '[(]|current_|localtime|_user'`;
  const names = new Set(rows.map(({ name }) => name));
  return relation.columns.filter(({ name }) => names.has(name));
}

function freshTable(id: string): string {
  return `imago_attic.fresh_${id}`;
}

function goneTable(id: string): string {
  return `imago_attic.gone_${id}`;
}
