import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Finished } from './command.ts';
import { cheapStarts } from './starts.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a command needs of the project to work in a copy of it. */
const PARTS = [
  'docs',
  'functions',
  'package.json',
  'scripts',
  'sql',
  'supabase',
  'tests',
  'tsconfig.json',
  'vitest.config.ts',
];

/** A copy of the project in a temporary folder, for what writes into it; gone with the test. */
export async function copyProject(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-copy-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const part of PARTS) await cp(path.join(root, part), path.join(folder, part), { recursive: true });
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  return folder;
}

/** Runs a line as a shell in the copy would, with nothing of the tester's environment but what finds programs. */
export async function runLine(
  folder: string,
  line: string,
  environment: Record<string, string> = {},
): Promise<Omit<Finished, 'json'>> {
  const { PATH = '', HOME = '' } = process.env;
  return await new Promise((resolve) => {
    execFile(
      'sh',
      ['-c', line],
      {
        cwd: folder,
        env: { PATH, HOME, ...cheapStarts, IMAGO_ENV_FILE: '/dev/null', ...environment },
        maxBuffer: 1 << 24,
      },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}
