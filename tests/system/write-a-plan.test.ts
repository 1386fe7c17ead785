import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';
import { problems } from '../../scripts/plan/problem.ts';
import { removeEmbedded } from '../support/embedded.ts';
import { installPackage } from '../support/packed.ts';
import { execute } from '../support/project.ts';

/** docs/write-a-plan.md from its first block to its last, as a reader would, in an empty folder with the package. */

interface Block {
  language: string;
  text: string;
}

const page = async () => await readFile(path.join(packageFolder, 'docs/write-a-plan.md'), 'utf8');

/** Those of the walk, which ends where the page goes on to explain. */
async function blocks(): Promise<Block[]> {
  const [walk = ''] = (await page()).split('## In your own app');
  return [...walk.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/** What is shown as a pattern: … stands for what differs from time to time, alone in a line for any lines. */
function pattern(shown: string): RegExp {
  const lines = shown
    .split('\n')
    .map((line) =>
      line === '…'
        ? '(?:.*\\n)*'
        : `${line.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '\\S+')}\\n`,
    );
  return new RegExp(`^${lines.join('')}$`);
}

test('docs/write-a-plan.md, typed as it stands, takes a reader from an empty folder to a plan that is built, run and changed', {
  timeout: 900_000,
}, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-empty-'));
  // PostgreSQL's own account passes through when we are root.
  await chmod(folder, 0o755);
  onTestFinished(async () => {
    await removeEmbedded(path.join(folder, '.imago'));
    await rm(folder, { recursive: true, force: true });
  });
  let said = '';
  const all = await blocks();
  for (const [index, { language, text }] of all.entries()) {
    const [, file] = /^(?:--|#) (supabase\/\S+)$/.exec(text.split('\n')[0] ?? '') ?? [];
    if (file) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), text);
    }
    if (language !== 'sh') continue;
    let output = '';
    for (const line of text.trim().split('\n')) {
      if (line.startsWith('npm install')) {
        await installPackage(folder);
        continue;
      }
      // Nobody is there to be asked.
      const asked = /imago (migrate|rollback)\b/.test(line) ? `${line} --yes` : line;
      const done = await execute('sh', ['-c', `(${asked}) 2>&1`], folder, {
        PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
        NO_COLOR: '1',
        SUPABASE_URL: undefined,
        DATABASE_URL: undefined,
        IMAGO_FOLDER: undefined,
      });
      expect({ line, code: done.code, output: done.code === 0 ? '' : done.stdout }).toEqual({
        line,
        code: 0,
        output: '',
      });
      output += done.stdout;
    }
    const next = all[index + 1];
    if (next?.language === 'text') expect(output).toMatch(pattern(next.text.trimEnd()));
    said += output;
  }
  expect(said).toMatch(/migrated 100 users/);
  expect(said).toMatch(/took back 100 users/);
  const sql = await execute(
    'sh',
    ['-c', 'cat supabase/imago/plans/initials/*.sql supabase/imago/plans/initials/functions/*.sql'],
    folder,
  );
  const lines = sql.stdout.split('\n').filter((line) => line.trim() !== '').length;
  expect({ lines, aboutForty: lines > 30 && lines < 50 }).toEqual({ lines, aboutForty: true });
});

test('docs/write-a-plan.md has every problem with its exit code and its cause', async () => {
  const rows = [...(await page()).matchAll(/^\| `([a-z-]+)` \| (\d) \| (.*) \|$/gm)].map(
    ([, code, exit, cause]) => [code, { exit: Number(exit), cause }],
  );
  expect(Object.fromEntries(rows)).toEqual(problems);
});
