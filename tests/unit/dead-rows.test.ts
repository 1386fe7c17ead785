/** What the command says at the end of the dead rows of a run. */
import { expect, test } from 'vitest';
import type { Bloated } from '../../functions/_shared/answers.ts';
import { toTable } from '../../scripts/migrate/report.ts';

const table = (relation: string, autovacuum: Bloated['autovacuum'], statement: string | null = null) => ({
  relation,
  dead_rows: 1500,
  dead_percent: 40,
  grown_bytes: null,
  autovacuum,
  statement,
});

const said = (bloat: Bloated[]) =>
  toTable(
    { action: 'migrate', plan: 'avatars', calls: 1, retries: 0, lostReplies: 0 },
    { status: 'done', message: 'All done.', next: [], bloat },
  )
    .join(' ')
    .replace(/[│┌┐└┘├┤┬┴┼─\s]+/g, ' ');

test('tables to which autovacuum comes are told in one line, each of the others with its vacuum', () => {
  const text = said([
    table('public.posts', 'comes'),
    table('public.follows', 'runs'),
    table('public.users', 'off', 'vacuum (analyze) public.users;'),
    table('public.avatars', 'later', 'vacuum (analyze) public.avatars;'),
  ]);
  expect(text).toContain('autovacuum does not come there: vacuum (analyze) public.users;');
  expect(text).toContain('too few for autovacuum: vacuum (analyze) public.avatars;');
  expect(text).toContain('3,000 in 2 tables · autovacuum comes by itself');
  expect(text).not.toContain('public.posts');
});

test('one table to which autovacuum comes is named; without any nothing is said', () => {
  expect(said([table('public.posts', 'comes')])).toContain('1,500 in public.posts · autovacuum comes');
  expect(said([])).not.toContain('Dead rows');
});
