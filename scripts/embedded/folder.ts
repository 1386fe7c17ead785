/** The folder of an embedded server: made, or taken where it is empty or holds nothing of anybody else's. */
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../command/usage.ts';

/** What we put there; and what a Mac puts everywhere. */
const ours =
  /^(\.gitignore|\.DS_Store|lock|lock-.*|server\.log|(settings|state)\.json(\..*\.part)?|postgres|db)$/;

/** Makes the folder fit for secrets. Throws a UsageError for somebody's own folder, and leaves that as it is. */
export async function takeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    const found = await readdir(folder);
    expectOurs(folder, found);
    // PostgreSQL's own account needs to pass through when we are root; the files with secrets are closed by themselves.
    await chmod(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
    // It holds keys, and may be in somebody's repository.
    if (!found.includes('.gitignore')) await writeFile(path.join(folder, '.gitignore'), '*\n');
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new Error(`${folder} cannot be used by this user: ${(cause as Error).message}`, { cause });
  }
}

function expectOurs(folder: string, found: readonly string[]): void {
  const isTaken = found.includes('lock') && (found.includes('postgres') || found.includes('settings.json'));
  if (isTaken || found.every((name) => ours.test(name))) return;
  throw new UsageError(
    `${folder} holds other things, and an embedded server takes a folder of its own. Nothing was changed there.`,
    'Set IMAGO_FOLDER to a folder that is new or empty.',
  );
}
