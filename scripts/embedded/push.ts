import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Sql } from 'postgres';
import { packageFolder } from '../package.ts';
import { runCli } from '../supabase-cli.ts';

/** The folder that holds supabase/. */
export const projectFolder = packageFolder;

/** Versions (the leading digits) of the migrations that the project has and the database has not. */
export async function pendingMigrations(sql: Sql): Promise<string[]> {
  const files = await readdir(path.join(projectFolder, 'supabase', 'migrations')).catch(() => []);
  const versions = files.flatMap((file) => /^(\d+)_.*\.sql$/.exec(file)?.[1] ?? []).sort();
  const [history] = await sql<{ table: string | null }[]>`
    select to_regclass('supabase_migrations.schema_migrations')::text as table`;
  if (!history?.table) return versions;
  const applied = await sql<{ version: string }[]>`select version from supabase_migrations.schema_migrations`;
  const known = new Set(applied.map((row) => row.version));
  return versions.filter((version) => !known.has(version));
}

/** Applies the project's migrations to a database by `supabase db push`, as anybody would. */
export async function pushMigrations(databaseUrl: string): Promise<void> {
  const { code, output } = await runCli(projectFolder, ['db', 'push', `--remote=${databaseUrl}`, '--yes']);
  if (code !== 0) {
    throw new Error(`supabase db push failed:\n${output.replaceAll(databaseUrl, 'the database')}`);
  }
}
