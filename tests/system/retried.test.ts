import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

test.each([
  [2, 0],
  [3, 1],
])(
  'a run of vitest in which %i tests passed at a second try names each, and ends with %i',
  { timeout: 60_000 },
  async (count, code) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-retried-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
    await symlink(here('../../node_modules'), path.join(folder, 'node_modules'));
    const config = { test: { retry: 1, reporters: ['default', here('../support/retried.ts')] } };
    await writeFile(path.join(folder, 'vitest.config.mjs'), `export default ${JSON.stringify(config)};`);
    await writeFile(
      path.join(folder, 'some.test.mjs'),
      `import { expect, test } from 'vitest';
    const tries = new Map();
    test.for(Array.from({ length: ${count} }, (_, i) => i))('test %i', (i) => {
      tries.set(i, (tries.get(i) ?? 0) + 1);
      expect(tries.get(i)).toBe(2);
    });`,
    );
    const vitest = here('../../node_modules/vitest/vitest.mjs');
    const ended = await new Promise<{ code: number; said: string }>((resolve) => {
      execFile(
        process.execPath,
        [vitest, 'run', '--root', folder],
        { cwd: folder },
        (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code) : 0, said: `${stdout}${stderr}` }),
      );
    });
    expect(ended).toEqual({ code, said: expect.stringContaining(`${count} tests were tried again`) });
    for (let i = 0; i < count; i++) expect(ended.said).toContain(`some.test.mjs > test ${i} (once)`);
  },
);
