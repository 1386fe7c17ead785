/** The folder of a project: versions, their ways back, and models. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checksum } from '../sql/checksum.ts';
import { type Statement, splitStatements } from '../sql/statements.ts';
import { Problem } from './problem.ts';

/** A file with SQL, named as people find it. */
export interface SqlFile {
  /** From the project's folder. */
  file: string;
  text: string;
}

/** One version of the schema. */
export interface Version extends SqlFile {
  version: string;
  name: string;
  statements: Statement[];
  checksum: string;
  wayBack: SqlFile | undefined;
  /** Imago's own, which no model describes. */
  imago: boolean;
}

export interface Project {
  folder: string;
  /** Oldest first. */
  versions: Version[];
  models: SqlFile[];
}

export const folders = {
  migrations: path.join('supabase', 'migrations'),
  /** Beside the migrations and not in them: the CLI takes every SQL file there for a migration. */
  waysBack: path.join('supabase', 'ways-back'),
  models: path.join('supabase', 'schemas'),
};

/** The folder in which a command was typed: npm run starts scripts in the package's folder, and the user is elsewhere. */
export function typedIn(): string {
  return process.env.npm_command === 'run-script' ? (process.env.INIT_CWD ?? '.') : '.';
}

/** The project's folder: the nearest one upward that has supabase/config.toml, as the CLI looks for it. */
export function findProject(from: string): string | undefined {
  for (let at = path.resolve(from); ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'supabase', 'config.toml'))) return at;
    if (at === path.dirname(at)) return undefined;
  }
}

/** Like {@link findProject}, where there must be one. */
export function expectProject(from: string, program: string): string {
  const folder = findProject(from);
  if (folder !== undefined) return folder;
  throw new Problem(
    'no-project',
    `There is no supabase/config.toml in ${path.resolve(from)} or above it.`,
    `Set up a project here: ${program} init`,
  );
}

/** Reads everything. */
export async function readProject(folder: string): Promise<Project> {
  const names = (await sqlFiles(path.join(folder, folders.migrations))).filter((name) => !name.includes('/'));
  const waysBack = new Map(
    await Promise.all(
      (await sqlFiles(path.join(folder, folders.waysBack))).map(
        async (name) =>
          [/^\d+/.exec(name)?.[0] ?? name, await read(folder, path.join(folders.waysBack, name))] as const,
      ),
    ),
  );
  const versions: Version[] = [];
  for (const fileName of names) {
    const [, version, name] = /^(\d+)_(.*)\.sql$/.exec(fileName) ?? [];
    if (version === undefined || name === undefined) continue;
    const file = await read(folder, path.join(folders.migrations, fileName));
    versions.push({
      ...file,
      version,
      name,
      statements: splitStatements(file.text),
      checksum: checksum(file.text),
      wayBack: waysBack.get(version),
      imago: name.startsWith('imago_'),
    });
  }
  versions.sort((a, b) => compareVersions(a.version, b.version));
  const models = await Promise.all(
    (await sqlFiles(path.join(folder, folders.models))).map((name) =>
      read(folder, path.join(folders.models, name)),
    ),
  );
  return { folder, versions, models };
}

/** As the CLI orders them: as text. */
export function compareVersions(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The number of a version that is made now: the time, or one more than the newest where clocks disagree. */
export function nextVersion(versions: readonly { version: string }[], now = new Date()): string {
  const time = now.toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const newest = versions.at(-1)?.version ?? '0';
  return time > newest ? time : String(BigInt(newest) + 1n).padStart(14, '0');
}

/** A message as part of a file name. */
export function slug(message: string): string {
  const words = message
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
  return words.slice(0, 60).replace(/_+$/, '') || 'version';
}

/** Writes a version and its way back; gives their files. The version is last: without it the way back means nothing. */
export async function writeVersion(
  folder: string,
  version: string,
  name: string,
  { up, down }: { up: string; down: string | undefined },
): Promise<string[]> {
  const files = [
    ...(down === undefined
      ? []
      : [{ file: path.join(folders.waysBack, `${version}_${name}.sql`), text: down }]),
    { file: path.join(folders.migrations, `${version}_${name}.sql`), text: up },
  ];
  for (const { file, text } of files) await writeNew(folder, file, text);
  return files.map(({ file }) => file).reverse();
}

/** Writes a file that must not be there yet. */
export async function writeNew(folder: string, file: string, text: string): Promise<void> {
  await mkdir(path.join(folder, path.dirname(file)), { recursive: true });
  await writeFile(path.join(folder, file), text, { flag: 'wx' });
}

async function sqlFiles(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { recursive: true });
  return entries
    .map((name) => name.split(path.sep).join('/'))
    .filter((name) => name.endsWith('.sql'))
    .sort();
}

async function read(folder: string, file: string): Promise<SqlFile> {
  return { file, text: await readFile(path.join(folder, file), 'utf8') };
}
