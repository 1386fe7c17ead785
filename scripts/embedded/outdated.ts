/** Folders that were made for a version of PostgreSQL or of Imago, and that nobody has started a server from for long. */
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';

/** Longer than anybody keeps one server running: each start counts as a use. */
const keptDays = 90;

/** A copy of PostgreSQL, a folder with Supabase's extensions, and what was left of one that was being made. */
const made =
  /^((native|postgres-\d+-[0-9a-f]{12})-supabase-[0-9a-f]{12}|postgres-\d+-[0-9a-f]{12})(-\w{6})?$/;

/** Has the folder count as used now. */
export async function markUsed(folder: string): Promise<void> {
  const now = new Date();
  // Where it cannot be written, it is somebody else's to keep or to remove.
  await utimes(folder, now, now).catch(() => {});
}

/** Removes those beside a folder that has just been made. */
export async function removeOutdated(folder: string): Promise<void> {
  const parent = path.dirname(folder);
  const oldest = Date.now() - keptDays * 24 * 3_600_000;
  for (const name of (await readdir(parent)).filter((one) => made.test(one))) {
    const other = path.join(parent, name);
    const used = await stat(other).catch(() => undefined);
    if (used !== undefined && used.mtimeMs < oldest) {
      await rm(other, { recursive: true, force: true }).catch(() => {});
    }
  }
}
