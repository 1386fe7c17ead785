/**
 * The attic: what a downgrade drops is moved aside into schema imago_attic, and the next upgrade to the same version
 * puts it back. One table of the attic for each table, column or changed type, and one row of `kept` that tells what
 * it is.
 */
import type { Sql, TransactionSql } from 'postgres';
import { z } from 'zod';
import { readable } from './names.ts';

const partSchema = z.object({ number: z.number(), name: z.string() });

/** One thing that was moved aside, as the table `kept` has it. */
const keptSchema = z.object({
  id: z.string(),
  kind: z.enum(['table', 'column', 'values', 'sequence', 'view']),
  /** As it is called in the version that was taken back. */
  schema: z.string(),
  relation: z.string(),
  column: z.string().nullable(),
  details: z.object({
    /** The table's number, by which it is found whatever it is called. */
    oid: z.string(),
    /** The columns of a table; the key, where it is a column or its values. */
    columns: z.array(partSchema).default([]),
    /** The number of a column whose values were kept. */
    number: z.number().optional(),
    /** Whether every row is there, also those without a value. */
    complete: z.boolean().default(false),
    /** Whether `columns` are all that rows of a table without a key have. */
    isWhole: z.boolean().default(false),
    /** Where a sequence was, and whether that was given out. */
    last: z.string().optional(),
    called: z.boolean().default(true),
    /** Waits for a commit: it holds an enum value that the version itself has added. */
    postponed: z.boolean().default(false),
    /** Values that somebody has changed since, found before it was postponed. */
    newer: z.number().default(0),
  }),
});

export type Kept = z.output<typeof keptSchema>;

export async function ensureAttic(tx: TransactionSql): Promise<void> {
  await tx.unsafe(`
    create schema if not exists imago_attic;
    revoke all on schema imago_attic from public;
    comment on schema imago_attic is 'Imago: what a downgrade of the schema has moved aside. The next upgrade puts it back; dropping it gives that up.';
    create table if not exists imago_attic.kept (
      id bigint generated always as identity primary key,
      version text not null,
      kind text not null,
      schema text not null,
      relation text not null,
      "column" text,
      details jsonb not null,
      rows bigint not null default 0,
      kept_at timestamptz not null default now(),
      put_back_at timestamptz
    );
    comment on table imago_attic.kept is 'What was moved aside, by version. Its rows or values are in the table kept_<id>; what is there after put_back_at did not fit any more.'`);
}

/** What still waits for a version that is taken back once more was passed over when it was applied: it is too old. */
export async function retire(tx: TransactionSql, version: string): Promise<void> {
  if (!(await atticExists(tx))) return;
  await tx`update imago_attic.kept set put_back_at = now() where version = ${version} and put_back_at is null`;
}

/** The table with the rows or values. */
export function atticTable(id: string): string {
  return `imago_attic.kept_${id}`;
}

/** What the version had brought by itself into a table or column when it was taken back. */
export function broughtTable(id: string): string {
  return `imago_attic.brought_${id}`;
}

export async function remember(
  tx: TransactionSql,
  version: string,
  {
    kind,
    schema,
    relation,
    column,
    details,
  }: Omit<Kept, 'id' | 'details'> & { details: Partial<Kept['details']> },
): Promise<string> {
  const [row] = await tx<{ id: string }[]>`
    insert into imago_attic.kept (version, kind, schema, relation, "column", details)
    values (${version}, ${kind}, ${schema}, ${relation}, ${column}, ${tx.json(details)})
    returning id`;
  return row?.id ?? '';
}

/** Leaves it for a transaction of its own, after the version is committed. */
export async function postpone(tx: TransactionSql, id: string, newer: number): Promise<void> {
  await tx`
    update imago_attic.kept set details = details || ${tx.json({ postponed: true, newer })}::jsonb where id = ${id}`;
}

/** Versions that are applied, but not all that was kept of them is back: somebody was interrupted there. */
export async function postponedVersions(sql: Sql): Promise<string[]> {
  if (!(await atticExists(sql))) return [];
  const rows = await sql<{ version: string }[]>`
    select distinct version from imago_attic.kept
    where put_back_at is null and (details ->> 'postponed')::boolean order by version`;
  return rows.map(({ version }) => version);
}

/** Writes down how many rows are in an attic's table; drops it, and forgets it, when there is none and that is no answer. */
export async function settleRows(
  tx: TransactionSql,
  id: string,
  { isAnswer = false }: { isAnswer?: boolean } = {},
): Promise<number> {
  const [row] = await tx.unsafe<{ rows: string }[]>(
    `update imago_attic.kept set rows = (select count(*) from ${atticTable(id)}) where id = ${id} returning rows`,
  );
  const rows = Number(row?.rows ?? 0);
  if (rows === 0 && !isAnswer) await forget(tx, id);
  return rows;
}

export async function forget(tx: TransactionSql, id: string): Promise<void> {
  await tx.unsafe(
    `drop table if exists ${atticTable(id)}, ${broughtTable(id)}; delete from imago_attic.kept where id = ${id}`,
  );
}

/** Removes the schema when nothing is in it any more. */
export async function tidyAttic(tx: TransactionSql): Promise<void> {
  if (!(await atticExists(tx))) return;
  const [kept] = await tx`select from imago_attic.kept limit 1`;
  if (!kept) await tx.unsafe('drop table imago_attic.kept; drop schema imago_attic');
}

/** What waits for a version to come back. */
export async function waitingFor(tx: TransactionSql, version: string): Promise<Kept[]> {
  if (!(await atticExists(tx))) return [];
  const rows = await tx`
    select id, kind, schema, relation, "column", details from imago_attic.kept
    where version = ${version} and put_back_at is null order by id`;
  return z.array(keptSchema).parse([...rows]);
}

/** Everything in the attic, for people. */
export async function listAttic(
  sql: Sql,
): Promise<{ version: string; object: string; rows: number; left: boolean; postponed: boolean }[]> {
  if (!(await atticExists(sql))) return [];
  const rows = await sql<(Kept & { version: string; rows: string; left: boolean; postponed: boolean })[]>`
    select version, kind, schema, relation, "column", rows, put_back_at is not null as left,
      put_back_at is null and coalesce((details ->> 'postponed')::boolean, false) as postponed
    from imago_attic.kept where kind not in ('sequence', 'view') order by version, id`;
  return rows.map((row) => ({
    version: row.version,
    object: objectOf(row),
    rows: Number(row.rows),
    left: row.left,
    postponed: row.postponed,
  }));
}

/** What was kept, as people read it. */
export function objectOf({
  kind,
  schema,
  relation,
  column,
}: Pick<Kept, 'kind' | 'schema' | 'relation' | 'column'>): string {
  const name = readable(schema, relation, ...(column === null ? [] : [column]));
  return `${kind === 'values' ? 'values of' : kind} ${name}`;
}

async function atticExists(sql: Sql | TransactionSql): Promise<boolean> {
  const [row] = await sql<{ there: boolean }[]>`select to_regclass('imago_attic.kept') is not null as there`;
  return row?.there ?? false;
}
