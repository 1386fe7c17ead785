import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';

/** Memory as a file system, on Linux. A database is some 300 files: copying them costs a tenth there. */
const MEMORY = '/dev/shm';

/** How much must be free in memory; what all workers have at once is a fraction of it. */
const ROOM = 3 * 2 ** 30;

/** Where the servers of tests may lie. */
export function clusterFolders(): string[] {
  return process.platform === 'linux' ? [MEMORY, tmpdir()] : [tmpdir()];
}

/** Where a new one goes: into memory where there is room, as there is not in most containers. */
export async function roomiestFolder(): Promise<string> {
  if (process.platform !== 'linux') return tmpdir();
  try {
    await access(MEMORY, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(MEMORY);
    return bavail * bsize >= ROOM ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}
