/** The CLI's history table: which versions a database has. */
import type { Sql, TransactionSql } from 'postgres';
import { checksum } from '../sql/checksum.ts';
import { literal } from './names.ts';
import { compareVersions, type Project, type Version } from './project.ts';

/** One row of the history. */
export interface Applied {
  version: string;
  name: string | null;
  /** What was run, as the CLI keeps it; null where it was never told. */
  statements: string[] | null;
}

/** A project and the history of a database, side by side. */
export interface Standing {
  /** Newest version that is applied. */
  current: string | null;
  applied: Version[];
  pending: Version[];
  /** In the history, not in the folder. */
  unknown: Applied[];
  /** Applied, and the file says something else since. */
  edited: Version[];
  /** Pending, though a newer one is applied. */
  outOfOrder: Version[];
}

const table = 'supabase_migrations.schema_migrations';

export async function readHistory(sql: Sql | TransactionSql): Promise<Applied[]> {
  const [there] = await sql<{ there: boolean; statements: boolean }[]>`
    select
      to_regclass(${table}) is not null as there,
      exists (select from pg_attribute where attrelid = to_regclass(${table}) and attname = 'statements') as statements`;
  if (!there?.there) return [];
  const columns = there.statements
    ? 'version, name, statements'
    : 'version, null as name, null as statements';
  const rows = await sql.unsafe<Applied[]>(`select ${columns} from ${table}`);
  return [...rows].sort((a, b) => compareVersions(a.version, b.version));
}

/** Makes the table as the CLI makes it; where it is there it is not locked. */
export async function ensureHistory(sql: Sql | TransactionSql): Promise<void> {
  const columns = await sql`
    select from pg_attribute
    where attrelid = to_regclass(${table}) and attname in ('version', 'statements', 'name') and not attisdropped`;
  if (columns.length === 3) return;
  await sql.unsafe(`
    create schema if not exists supabase_migrations;
    create table if not exists ${table} (version text not null primary key);
    alter table ${table} add column if not exists statements text[];
    alter table ${table} add column if not exists name text`);
}

/** Keeps others from changing the history until the end of the transaction. */
export async function lockHistory(tx: TransactionSql): Promise<void> {
  await tx.unsafe(`lock table ${table} in share row exclusive mode`);
}

/** The same; tells whether a version is in it. */
export async function lockedHistory(tx: TransactionSql, { version }: Version): Promise<boolean> {
  const [, rows] = await tx.unsafe<[unknown, { there: boolean }[]]>(`
    lock table ${table} in share row exclusive mode;
    select exists (select from ${table} where version = ${literal(version)}) as there`);
  return rows[0]?.there ?? false;
}

export async function addToHistory(tx: Sql | TransactionSql, version: Version): Promise<void> {
  const statements = version.statements.map(({ text }) => text);
  await tx`
    insert into supabase_migrations.schema_migrations (version, name, statements)
    values (${version.version}, ${version.name}, ${statements})
    on conflict (version) do update set name = excluded.name, statements = excluded.statements`;
}

export async function isInHistory(sql: Sql | TransactionSql, version: string): Promise<boolean> {
  const rows = await sql`select from supabase_migrations.schema_migrations where version = ${version}`;
  return rows.length === 1;
}

/** True when it was there. */
export async function removeFromHistory(tx: Sql | TransactionSql, version: string): Promise<boolean> {
  const removed = await tx`delete from supabase_migrations.schema_migrations where version = ${version}`;
  return removed.count === 1;
}

export function compareHistory(project: Project, history: readonly Applied[]): Standing {
  const known = new Map(history.map((row) => [row.version, row]));
  const applied = project.versions.filter(({ version }) => known.has(version));
  const pending = project.versions.filter(({ version }) => !known.has(version));
  const files = new Set(project.versions.map(({ version }) => version));
  const newest = history.at(-1)?.version ?? null;
  return {
    current: newest,
    applied,
    pending,
    unknown: history.filter(({ version }) => !files.has(version)),
    edited: applied.filter((version) => wasEdited(version, known.get(version.version))),
    outOfOrder: pending.filter(({ version }) => newest !== null && version < newest),
  };
}

function wasEdited(version: Version, row: Applied | undefined): boolean {
  if (!row?.statements) return false;
  return checksum(row.statements.join('\n;\n')) !== version.checksum;
}
