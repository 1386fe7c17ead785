/**
 * PostgreSQL with what `create extension` finds on hosted Supabase: a folder beside the package's own, of links into it, and
 * with an extension folder of its own. There the extensions that hosted Supabase lets everybody create are trusted, and
 * stand-ins in SQL take the place of some that are not part of PostgreSQL.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import {
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Account, ROOT_HOME } from './account.ts';
import { nativeFolder, type PostgresVersion } from './native.ts';
import { markUsed, removeOutdated } from './outdated.ts';

/** A part of every path in it. */
export const EMBEDDED_MARK = '-supabase-';

/** The stand-ins: NAME.control and NAME--VERSION.sql. */
const standIns = fileURLToPath(new URL('./extensions/', import.meta.url));

/** What anybody may create on hosted Supabase, and PostgreSQL itself leaves to superusers. */
const trusted = [
  ...[
    'autoinc',
    'bloom',
    'dblink',
    'dict_xsyn',
    'earthdistance',
    'insert_username',
    'moddatetime',
    'pg_buffercache',
  ],
  ...[
    'pg_prewarm',
    'pg_stat_statements',
    'pg_walinspect',
    'pgrowlocks',
    'pgstattuple',
    'postgres_fdw',
    'refint',
    'sslinfo',
  ],
];

/** The folder with bin, lib and share, made where it is not there yet. */
export async function installation(version: PostgresVersion, account: Account | undefined): Promise<string> {
  const native = await nativeFolder(version, account);
  const name = `${path.basename(native)}${EMBEDDED_MARK}${checksum(native)}`;
  try {
    return await make(native, path.join(path.dirname(native), name));
  } catch (error) {
    // A project that its user cannot write.
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return await make(native, path.join(cacheFor(account), name));
  }
}

/** The home of root is closed to the account that runs the server. */
function cacheFor(account: Account | undefined): string {
  if (account) return ROOT_HOME;
  return path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'imago');
}

/** The files of the stand-ins. */
export function standInFiles(): string[] {
  return readdirSync(standIns)
    .sort()
    .map((file) => path.join(standIns, file));
}

/** Of all that the folder is made of; the package's files do not change under its path and version. */
function checksum(native: string): string {
  const hash = createHash('sha256').update(`${native}\n${trusted}\n`);
  const packaged = path.join(native, '..', 'package.json');
  for (const file of [packaged, fileURLToPath(import.meta.url), ...standInFiles()]) {
    if (existsSync(file)) hash.update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 12);
}

async function make(native: string, folder: string): Promise<string> {
  await markUsed(folder);
  if (existsSync(folder)) return folder;
  await mkdir(path.dirname(folder), { recursive: true });
  // Under another name first, so that it is whole or not there.
  const partial = await mkdtemp(`${folder}-`);
  try {
    await chmod(partial, 0o755);
    const share = existsSync(path.join(native, 'share', 'postgresql'))
      ? path.join('share', 'postgresql')
      : 'share';
    // PostgreSQL looks for everything else from where its program lies, and follows symbolic links to find out.
    await linkFiles(path.join(native, 'bin'), path.join(partial, 'bin'));
    await symlink(path.join(native, 'lib'), path.join(partial, 'lib'), 'junction');
    await linkFiles(path.join(native, share), path.join(partial, share));
    // Whatever the umask: the server may run as another account.
    await chmod(path.join(partial, 'share'), 0o755);
    for (const entry of await readdir(path.join(native, share), { withFileTypes: true })) {
      const from = path.join(native, share, entry.name);
      if (entry.isDirectory() && entry.name !== 'extension') {
        await symlink(from, path.join(partial, share, entry.name), 'junction');
      }
    }
    await makeExtensions(path.join(native, share, 'extension'), path.join(partial, share, 'extension'));
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    // Somebody else was first.
    if (!existsSync(folder)) throw error;
  }
  await removeOutdated(folder);
  return folder;
}

async function makeExtensions(from: string, to: string): Promise<void> {
  await linkFiles(from, to);
  for (const name of trusted) {
    const file = path.join(to, `${name}.control`);
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    // The link goes, not the package's file.
    await rm(file);
    await writeFile(file, `${text.trimEnd()}\ntrusted = true\n`);
    await chmod(file, 0o644);
  }
  for (const file of standInFiles()) {
    const copy = path.join(to, path.basename(file));
    await copyFile(file, copy);
    await chmod(copy, 0o644);
  }
}

/** Links the files of a folder, or copies them where that is not allowed or the folder is on another disk. */
async function linkFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    await link(source, target).catch(() => copyFile(source, target));
  }
}
