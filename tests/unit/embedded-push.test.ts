/** How the Supabase CLI is told where to push: every user of a machine can read its command lines. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { expect, test, vi } from 'vitest';

interface Call {
  args: readonly string[];
  file: string;
  text: string;
  mode: number;
}

const calls = vi.hoisted((): Call[] => []);
vi.mock('../../scripts/supabase-cli.ts', () => ({
  runCli: async (_: string, args: readonly string[], file = '') => {
    calls.push({ args, file, text: readFileSync(file, 'utf8'), mode: statSync(file).mode & 0o777 });
    return { code: 0, output: '' };
  },
}));

test('the password of the database is in a file that goes afterwards, and in no argument', async () => {
  const { pushMigrations } = await import('../../scripts/embedded/push.ts');
  await pushMigrations('postgresql://postgres:se%3Acret@127.0.0.1:5432/postgres');
  expect(calls).toHaveLength(1);
  const [{ args, file, text, mode } = { args: [], file: '', text: '', mode: 0 }] = calls;
  expect(args).toContain('--remote=postgresql://postgres@127.0.0.1:5432/postgres?sslmode=disable');
  expect(args.join(' ')).not.toContain('cret');
  expect([text, mode]).toEqual(['127.0.0.1:5432:postgres:postgres:se\\:cret\n', 0o600]);
  expect(existsSync(file)).toBe(false);
});
