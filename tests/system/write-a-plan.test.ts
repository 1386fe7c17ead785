import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { removeCluster } from '../../scripts/embedded/cluster.ts';
import { copyProject, runLine } from '../support/copy.ts';

/** docs/write-a-plan.md from its first block to its last, as a reader would, in a copy of the project. */

interface Block {
  language: string;
  text: string;
}

async function blocks(folder: string): Promise<Block[]> {
  const page = await readFile(path.join(folder, 'docs/write-a-plan.md'), 'utf8');
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/** Keeps the embedded Supabase of the copy running, with few users, so that each command finds it. */
async function keepEmbedded(folder: string, environment: Record<string, string>): Promise<void> {
  const { PATH = '', HOME = '' } = process.env;
  const keeper: ChildProcess = spawn('node', ['scripts/local.ts', '--sample', '300'], {
    cwd: folder,
    env: { PATH, HOME, IMAGO_ENV_FILE: '/dev/null', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => keeper.once('close', () => resolve()));
  onTestFinished(async () => {
    keeper.kill('SIGTERM');
    await ended;
    // Where root keeps it, it would outlive the copy.
    await removeCluster(path.join(folder, '.imago/postgres'));
  });
  await new Promise<void>((resolve, reject) => {
    keeper.stdout?.on('data', (chunk) => {
      if (String(chunk).includes('SUPABASE_URL=')) resolve();
    });
    void ended.then(() => reject(new Error('the embedded Supabase ended')));
  });
}

test('docs/write-a-plan.md, typed as it stands, takes a reader from nothing to a finished plan', {
  timeout: 400_000,
}, async () => {
  const folder = await copyProject();
  const environment = { IMAGO_FOLDER: path.join(folder, '.imago') };
  await keepEmbedded(folder, environment);
  let said = '';
  for (const { language, text } of await blocks(folder)) {
    const [, file] = /^(?:--|\/\/) (\S+\.(?:sql|ts))$/.exec(text.split('\n')[0] ?? '') ?? [];
    if (file) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), text);
    }
    if (language !== 'sh') continue;
    for (const line of text.trim().split('\n')) {
      // Nobody is there to be asked.
      const asked = line.includes('migrate') && !line.includes('dry-run') ? `${line} --yes` : line;
      const { code, stdout, stderr } = await runLine(folder, asked, environment);
      expect({ line, code, output: code === 0 ? '' : stdout + stderr }).toEqual({
        line,
        code: 0,
        output: '',
      });
      said += stdout + stderr;
    }
  }
  expect(said).toContain('The plan initials: nothing is wrong.');
  const sql = await runLine(folder, 'cat sql/plans/initials/*.sql sql/plans/initials/functions/*.sql');
  const lines = sql.stdout.split('\n').filter((line) => line.trim() !== '').length;
  expect({ lines, aboutForty: lines > 30 && lines < 50 }).toEqual({ lines, aboutForty: true });
  expect(said).toMatch(/migrated 300 users/);
  expect(said).toMatch(/took back 300 users/);
});
