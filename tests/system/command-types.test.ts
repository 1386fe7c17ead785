/** scripts/database.types.ts is what the migrated database gives, and drift is found. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';

const script = fileURLToPath(new URL('../../scripts/gen-types.ts', import.meta.url));

async function check(databaseUrl: string): Promise<{ code: number; stderr: string }> {
  return await new Promise((resolve) => {
    execFile(process.execPath, [script, '--check', databaseUrl], (error, _, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stderr }),
    );
  });
}

test('the committed types are those of the migrated database, and a change of it is named', async () => {
  const db = await freshDatabase({ app: 'none' });
  onTestFinished(() => db.drop());
  expect(await check(db.url)).toMatchObject({ code: 0 });

  await db.sql`create function public.one_more(number integer) returns jsonb language sql return '{}'::jsonb`;
  const drifted = await check(db.url);
  expect(drifted.code).toBe(1);
  expect(drifted.stderr).toContain('npm run gen:types');
});
