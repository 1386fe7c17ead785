/** Builds supabase/migrations/*.sql from sql/, in the order of sql/manifest.json. `--check` changes nothing and fails on drift. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const root = join(import.meta.dirname, '..');
const manifestSchema = z.record(z.string().regex(/^\d{14}_\w+$/), z.array(z.string()));

/** Files of one manifest entry: a file itself, a folder (ending in /) as its .sql files by name. */
function expand(entry: string): string[] {
  if (!entry.endsWith('/')) return [entry];
  return readdirSync(join(root, 'sql', entry))
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => entry + name);
}

/** The text of one migration. SQL functions check their bodies when created, in whatever order: so that check is off. */
function buildMigration(entries: string[]): string {
  const files = entries.flatMap(expand);
  const parts = files.map(
    (file) => `-- sql/${file}\n${readFileSync(join(root, 'sql', file), 'utf8').trim()}\n`,
  );
  const head = '-- Built from sql/ by `npm run build:sql`. Change the sources, not this file.\n';
  return [head, 'set local check_function_bodies = off;\n', ...parts].join('\n');
}

const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(root, 'sql/manifest.json'), 'utf8')));
const check = process.argv.includes('--check');
const drifted: string[] = [];
for (const [name, entries] of Object.entries(manifest)) {
  const path = join(root, 'supabase/migrations', `${name}.sql`);
  const text = buildMigration(entries);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  drifted.push(`supabase/migrations/${name}.sql`);
  if (!check) writeFileSync(path, text);
}
if (drifted.length > 0) console.error(`${check ? 'Differs from sql/' : 'Built'}: ${drifted.join(', ')}`);
if (check && drifted.length > 0) {
  console.error('Run `npm run build:sql` and commit the result.');
  process.exit(1);
}
