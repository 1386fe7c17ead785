/** Files to be written and removed, all of them or none. */
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Problem } from './problem.ts';

/** One file, by its path from the project's folder. */
export interface Change {
  file: string;
  /** Undefined where there is none yet. */
  before: string | undefined;
  /** Undefined where it is to go. */
  after: string | undefined;
}

/** Refuses what cannot be written, before anything is. */
export function expectWritable(folder: string, changes: readonly Change[]): void {
  for (const { file, before } of changes) {
    const place = before === undefined ? nearestExisting(path.join(folder, file)) : path.join(folder, file);
    try {
      // The slash asks for a folder.
      accessSync(before === undefined ? `${place}${path.sep}` : place, constants.W_OK);
    } catch (cause) {
      throw notWritable(folder, place, cause);
    }
  }
}

/** Makes the changes. What goes wrong half-way takes back what was done. */
export async function apply(folder: string, changes: readonly Change[]): Promise<void> {
  const done: Change[] = [];
  const folders: string[] = [];
  for (const change of changes) {
    try {
      const made = await mkdir(path.dirname(path.join(folder, change.file)), { recursive: true });
      if (made) folders.push(made);
      await write(folder, change);
      done.push(change);
    } catch (cause) {
      for (const { file, before, after } of done.reverse()) {
        await write(folder, { file, before: after, after: before });
      }
      for (const made of folders.reverse()) await rm(made, { recursive: true, force: true });
      throw notWritable(folder, path.join(folder, change.file), cause);
    }
  }
  for (const { file, after } of changes) {
    if (after === undefined) await removeEmpty(folder, path.dirname(file));
  }
}

async function write(folder: string, { file, before, after }: Change): Promise<void> {
  const target = path.join(folder, file);
  if (after === undefined) return await rm(target);
  // A new file must not take the place of one that somebody has made meanwhile.
  if (before === undefined) return await writeFile(target, after, { flag: 'wx' });
  const beside = `${target}.imago-${process.pid}`;
  try {
    await writeFile(beside, after, { flag: 'wx' });
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Folders that were made for our files go with the last of them. */
async function removeEmpty(folder: string, below: string): Promise<void> {
  for (let at = below; at !== '.' && at !== 'supabase'; at = path.dirname(at)) {
    const emptied = await rmdir(path.join(folder, at)).then(
      () => true,
      () => false,
    );
    if (!emptied) return;
  }
}

function nearestExisting(file: string): string {
  let at = path.dirname(file);
  while (!existsSync(at)) at = path.dirname(at);
  return at;
}

function notWritable(folder: string, place: string, cause: unknown): Problem {
  const code = (cause as NodeJS.ErrnoException).code ?? 'error';
  return new Problem(
    'not-writable',
    `${path.relative(folder, place) || folder} cannot be written (${code}).`,
    'Fix that and run the command again. Nothing has been changed.',
    { cause },
  );
}
