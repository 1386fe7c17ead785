/** A few of the faults that `npm run torture` brings about by the thousand: each kind at least once. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';
import { execute } from '../support/project.ts';

const command = fileURLToPath(new URL('../torture/run.ts', import.meta.url));

test('faults of all kinds beside living writers: no row is wrong', async () => {
  const done = await execute(process.execPath, [command, '--faults', '36', '--seed', '26'], packageFolder);
  expect(done.code, done.stdout + done.stderr).toBe(0);
  expect(done.stdout).toMatch(/\d rows compared; wrong rows: 0$/m);
});
