/**
 * Files that hold data of the database: for nobody else's eyes from the first byte on, whole or not at all, and never
 * through a link that somebody else may have put there.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { UsageError } from './usage.ts';

export interface Place {
  /** The option that names the file, for what is said of it. */
  option: string;
  file: string;
  /** Whether a file that is there is replaced. */
  replaces: boolean;
}

/** Refuses a place where the file could not be written, or where it would end up somewhere else. */
export function expectPlace({ option, file, replaces }: Place): void {
  const folder = path.dirname(file);
  // A link to a folder is one of theirs: a path that is typed means what is behind it.
  if (!isFolder(`${folder}${path.sep}`)) {
    throw new UsageError(`${option}: there is no folder ${folder}.`, 'Create it first, or name another one.');
  }
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (!found) return;
  if (found.isDirectory()) throw new UsageError(`${option}: ${file} is a folder.`, 'Name a file in it.');
  if (found.isSymbolicLink()) {
    throw new UsageError(
      `${option}: ${file} is a symbolic link, and what it points to is not written through it.`,
      'Name the file itself.',
    );
  }
  if (!found.isFile()) throw new UsageError(`${option}: ${file} is no regular file.`, 'Name another one.');
  if (!replaces) {
    throw new UsageError(
      `${option}: ${file} exists already.`,
      'Name a new file: an older backup is never overwritten.',
    );
  }
}

/**
 * Has the file written beside its place, under a name that nobody can know beforehand, and gives it its name when it is
 * complete. What is left when that fails, or when the process is made to leave, is removed.
 */
export async function writePrivately(place: Place, write: (part: string) => Promise<unknown>): Promise<void> {
  const draft = new Draft(place);
  try {
    await write(draft.part);
    draft.publish();
  } finally {
    draft.discard();
  }
}

/** The same at once, in the place of what is there. */
export function replacePrivately(option: string, file: string, text: string): void {
  const draft = new Draft({ option, file, replaces: true });
  try {
    writeFileSync(draft.part, text);
    draft.publish();
  } finally {
    draft.discard();
  }
}

class Draft {
  readonly part: string;
  readonly #place: Place;
  readonly #descriptor: number;
  readonly #leave = () => rmSync(this.part, { force: true });

  constructor(place: Place) {
    expectPlace(place);
    this.#place = place;
    this.part = `${place.file}.${randomUUID().slice(0, 8)}.part`;
    this.#descriptor = openSync(this.part, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    process.once('exit', this.#leave);
  }

  /** Gives it its name. */
  publish(): void {
    fsyncSync(this.#descriptor);
    // Anyone who can write to the folder can put something else there, while it is written or in its place.
    const [made, found] = [fstatSync(this.#descriptor), lstatSync(this.part)];
    if (made.ino !== found.ino || made.dev !== found.dev) {
      throw new UsageError(`${this.part} was exchanged by somebody else while it was written.`);
    }
    expectPlace(this.#place);
    if (this.#place.replaces) renameSync(this.part, this.#place.file);
    else moveToNew(this.part, this.#place.file);
  }

  discard(): void {
    closeSync(this.#descriptor);
    this.#leave();
    process.off('exit', this.#leave);
  }
}

/** As a second name, which is refused where there is a file; not every file system knows these. */
function moveToNew(part: string, file: string): void {
  try {
    linkSync(part, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    renameSync(part, file);
  }
}

function isFolder(place: string): boolean {
  return lstatSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
