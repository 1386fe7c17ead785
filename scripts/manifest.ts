/** sql/manifest.json: which files of sql/ make up which migration, in order. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, sep } from 'node:path';
import { z } from 'zod';
import { builtMark, packageFolder } from './package.ts';

const manifestSchema = z.record(z.string().regex(/^\d{14}_\w+$/), z.array(z.string()));

/** Files and folders (ending in /) by migration. */
export type Manifest = z.output<typeof manifestSchema>;

/** The folder of the project. */
export const root = packageFolder;

export const manifestFile = join(root, 'sql/manifest.json');

export function readManifest(): Manifest {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(manifestFile, 'utf8')));
  const names = Object.keys(manifest);
  const early = names.find((name, index) => index > 0 && name < (names[index - 1] ?? ''));
  // supabase db push refuses a migration that is older than one that is applied.
  if (early)
    throw new Error(`sql/manifest.json: ${early} must have a later number than what stands before it`);
  return manifest;
}

const releasedFile = join(root, 'sql/released.json');

/**
 * Migrations that were released, with the checksum of each. They are in the histories of other people's databases, so
 * they stay as they are: what comes after is a migration of its own, like <time>_imago_engine_2.
 */
export function readReleased(): Record<string, string> {
  return z.record(z.string(), z.string()).parse(JSON.parse(readFileSync(releasedFile, 'utf8')));
}

export function writeReleased(released: Record<string, string>): void {
  writeFileSync(releasedFile, `${JSON.stringify(released, null, 2)}\n`);
}

/** The checksum of a migration as it is written. */
export function migrationChecksum(name: string): string {
  return createHash('sha256')
    .update(readFileSync(migrationFile(name)))
    .digest('hex');
}

/** Where a migration is written. */
export function migrationFile(name: string): string {
  return join(root, 'supabase/migrations', `${name}.sql`);
}

/** Files of one manifest entry: a file itself; a folder (ending in /) as the .sql files anywhere below it, by base name. */
function expand(entry: string): string[] {
  if (!entry.endsWith('/')) return [entry];
  const name = (file: string) => basename(file);
  return readdirSync(join(root, 'sql', entry), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.sql'))
    .sort((a, b) => (name(a) < name(b) ? -1 : 1))
    .map((file) => entry + file.replaceAll(sep, '/'));
}

/** The text of one migration, from its files under sql/. */
export function buildMigration(entries: readonly string[]): string {
  return joinSources(entries.flatMap(expand).map(withText));
}

/**
 * Everything as the sources have it now, at once: what somebody would install who has no history. Migrations that were
 * released, and upgrades after them, lead to the same.
 */
export function buildAtOnce(manifest: Manifest): string {
  const files = new Set(Object.values(manifest).flatMap((entries) => entries.flatMap(expand)));
  const sources = [...files].filter((file) => !file.includes('/upgrades/'));
  // A table that came later is there before the functions that name it.
  const rank = (file: string) => (file.startsWith('plans/') ? 2 : /\/functions\/|^api\//.test(file) ? 1 : 0);
  return joinSources(sources.sort((a, b) => rank(a) - rank(b)).map(withText));
}

/**
 * Functions and views whose sources have changed since they were released, and which no later migration makes again: the
 * change would reach nobody.
 */
export function forgottenSources(manifest: Manifest, released: Record<string, string>): string[] {
  const last = new Map<string, string>();
  // Each is nearly a megabyte, and asked for each source.
  const texts = new Map(
    Object.keys(released).map((name) => [name, readFileSync(migrationFile(name), 'utf8')]),
  );
  for (const [name, entries] of Object.entries(manifest)) {
    for (const file of entries.flatMap(expand)) {
      const text = texts.get(name);
      if (!text || text.includes(`${heading(file)}\n`) || !last.has(file)) last.set(file, name);
    }
  }
  return [...last]
    .filter(([file, name]) => name in released && /\/(functions|views)\//.test(file))
    .filter(([file, name]) => !texts.get(name)?.includes(section(...withText(file))))
    .map(([file]) => `sql/${file}`);
}

function withText(file: string): readonly [file: string, text: string] {
  return [file, readFileSync(join(root, 'sql', file), 'utf8')];
}

/** What stands above a source in a migration: the object's name, so that its file can move from folder to folder. */
function heading(file: string): string {
  const [place = '', folder = ''] = file.split('/');
  const name = basename(file, '.sql');
  const isObject = /\/(functions|tables|views|api)\//.test(`/${file}`);
  const schema = place === 'engine' ? 'imago' : place === 'api' || file.includes('/api/') ? 'public' : folder;
  return `-- ${schema}${isObject ? '.' : ' '}${name}`;
}

function section(file: string, text: string): string {
  return `${heading(file)}\n${text.trim()}\n`;
}

/** Sources, each with its path under sql/, as one migration. SQL functions check their bodies when created, in whatever order: so that check is off. */
export function joinSources(sources: readonly (readonly [file: string, text: string])[]): string {
  const parts = sources.map(([file, text]) => section(file, text));
  const head = `${builtMark} by \`npm run build:sql\`. Change the sources, not this file.\n`;
  return [head, 'set local check_function_bodies = off;\n', ...parts].join('\n');
}
