import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Sql } from 'postgres';
import { packageFolder } from '../package.ts';

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
  const { code, output } = await runCli(['db', 'push', `--remote=${databaseUrl}`, '--yes']);
  if (code !== 0) {
    throw new Error(`supabase db push failed:\n${essence(output.replaceAll(databaseUrl, 'the database'))}`);
  }
}

/** The output without the CLI's remarks on the connection and on itself. */
function essence(output: string): string {
  const remark = /^(Target:|│|▲|Confirmed by|Try rerunning|A new version|We recommend)/;
  return output
    .split('\n')
    .filter((line) => line.trim() !== '' && !remark.test(line))
    .join('\n');
}

async function runCli(args: string[]): Promise<{ code: number | null; output: string }> {
  // The package's own file and not .bin/supabase, which npx and workspaces put elsewhere.
  const bin = path.join(
    path.dirname(createRequire(import.meta.url).resolve('supabase/package.json')),
    'dist/supabase.js',
  );
  const child = spawn(process.execPath, [bin, '--workdir', projectFolder, ...args], {
    env: { ...process.env, SUPABASE_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: string[] = [];
  child.stdout.on('data', (chunk) => chunks.push(String(chunk)));
  child.stderr.on('data', (chunk) => chunks.push(String(chunk)));
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output: chunks.join('') }));
  });
}
