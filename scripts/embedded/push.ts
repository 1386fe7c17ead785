/** Brings a database to the migrations of a project, by the real Supabase CLI. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { indented } from '../command/printable.ts';
import { readDatabaseUrl } from '../connection/address.ts';
import { withoutPassword, withPasswordFile } from '../connection/children.ts';
import { readMigration } from '../install/parts.ts';
import { packageFolder } from '../package.ts';
import { runCli } from '../supabase-cli.ts';
import { missingHere } from './missing.ts';

/** The folder that holds supabase/. */
export const projectFolder = packageFolder;

/** Versions (the leading digits) of the migrations that a project, with Imago, has and the database has not. */
export async function pendingMigrations(sql: Sql, project = projectFolder): Promise<string[]> {
  const folders = await sourcesOf(project);
  const files = (await Promise.all(folders.map(migrationFiles))).flat();
  const versions = files.map((file) => path.basename(file).split('_', 1)[0] as string).sort();
  const [history] = await sql<{ table: string | null }[]>`
    select to_regclass('supabase_migrations.schema_migrations')::text as table`;
  if (!history?.table) return versions;
  const applied = await sql<{ version: string }[]>`select version from supabase_migrations.schema_migrations`;
  const known = new Set(applied.map((row) => row.version));
  return versions.filter((version) => !known.has(version));
}

/** Applies the migrations of a project, and Imago's where it has none of them, by `supabase db push`, as anybody would. */
export async function pushMigrations(databaseUrl: string, project = projectFolder): Promise<void> {
  const folders = await sourcesOf(project);
  if (folders.length === 1) return await push(databaseUrl, project, []);
  const both = await mkdtemp(path.join(tmpdir(), 'imago-push-'));
  try {
    const migrations = path.join(both, 'supabase', 'migrations');
    await mkdir(migrations, { recursive: true });
    for (const file of (await Promise.all(folders.map(migrationFiles))).flat()) {
      await copyFile(file, path.join(migrations, path.basename(file)));
    }
    // The project goes on, with numbers before or after Imago's.
    await push(databaseUrl, both, ['--include-all']);
  } finally {
    await rm(both, { recursive: true, force: true });
  }
}

/** Whether a project has migrations of its own, besides those that `imago install` has put there. */
export async function hasMigrations(project: string): Promise<boolean> {
  const files = await migrationFiles(project);
  const own = await Promise.all(
    files.map(async (file) => !readMigration(path.basename(file), await readFile(file, 'utf8'))),
  );
  return own.includes(true);
}

/** The project, where Imago was added to it; else both. */
async function sourcesOf(project: string): Promise<string[]> {
  const files = await migrationFiles(project);
  const hasEngine = files.some((file) => /_imago_engine\.sql$/.test(file));
  return hasEngine ? [project] : [project, projectFolder];
}

async function migrationFiles(project: string): Promise<string[]> {
  const folder = path.join(project, 'supabase', 'migrations');
  const files = await readdir(folder).catch(() => []);
  return files.filter((file) => /^\d+_.*\.sql$/.test(file)).map((file) => path.join(folder, file));
}

async function push(url: string, folder: string, options: string[]): Promise<void> {
  const address = readDatabaseUrl(url, { name: 'The database URL' });
  const remote = withoutPassword(address);
  const { code, output } = await withPasswordFile([address], (passwords) =>
    runCli(folder, ['db', 'push', `--remote=${remote}`, '--yes', ...options], passwords),
  );
  if (code === 0) return;
  const lines = output.replaceAll(remote, 'the database').split('\n');
  const missing = lines.map(missingHere).find((line) => line !== undefined);
  // Nobody can fix which file of the server is missing.
  const said = lines.filter((line) => !line.startsWith('Could not open extension control file'));
  throw new Error(indented(['supabase db push failed:', ...said, ...(missing ? [missing] : [])].join('\n')));
}
