import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import { checkNames, draftPlan, type Wish } from '../../scripts/plan/create.ts';
import { nameProblem } from '../../scripts/plan/plan-name.ts';
import { copyProject, runLine } from '../support/copy.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

/** `npm run plan -- new` in a copy of the project, on a table of a database that DATABASE_URL names. */

let db: TestDatabase;
beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 3 });
  await db.sql.unsafe(`
    create view public.names as select username from public.users;
    create table public.bare (id uuid not null unique);
    create schema taken`);
});
afterAll(() => db.drop());

const plan = (folder: string, args: string) =>
  runLine(folder, `node scripts/plan.ts ${args}`, { DATABASE_URL: db.url });

/** Every file of the copy that the command could write, with its text. */
async function files(folder: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const part of ['sql', 'supabase', 'tests']) {
    const entries = await readdir(path.join(folder, part), { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((candidate) => candidate.isFile())) {
      const file = path.join(entry.parentPath, entry.name);
      texts[path.relative(folder, file)] = await readFile(file, 'utf8');
    }
  }
  return texts;
}

test('plan new writes a plan that has nothing wrong with it, built, and says so', async () => {
  const folder = await copyProject();
  const before = await files(folder);
  const made = await plan(folder, 'new initials --source public.users --key id --json');
  expect(made).toMatchObject({ code: 0 });
  const written = JSON.parse(made.stdout).files as string[];
  const after = await files(folder);
  const differing = Object.keys(after).filter((file) => after[file] !== before[file]);
  expect(differing.toSorted()).toEqual(written.toSorted());
  expect(differing).toContain('tests/sql/plan-initials.test.ts');
  expect(await runLine(folder, 'node scripts/build-sql.ts --check')).toMatchObject({ code: 0 });
  expect((await runLine(folder, 'npx tsc --noEmit')).stdout).not.toContain('initials');
  expect(await plan(folder, 'check initials')).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringMatching(/^Running the plan initials .*\nThe plan initials: nothing is wrong\.\n$/),
  });

  const apply = path.join(folder, 'sql/plans/initials/functions/apply.sql');
  await writeFile(apply, (await readFile(apply, 'utf8')).replace(/comment on.*/, ''));
  const wrong = await plan(folder, 'check initials');
  expect(wrong).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('ERROR  function initials.apply(uuid[]) has no comment'),
  });
  expect(wrong.stderr).toContain('npm run build:sql');
  const json = await plan(folder, 'check initials --json');
  expect(JSON.parse(json.stdout)).toMatchObject({
    status: 'findings',
    plan: 'initials',
    errors: 1,
    findings: [{ about: 'comment' }],
  });
});

describe('plan new refuses, and writes nothing,', () => {
  test.each<[args: Partial<Wish>, message: string]>([
    [{ plan: 'taken_column', column: 'ctid' }, 'ctid cannot be the name of a column.'],
    [{ plan: 'taken' }, 'The database has a schema taken already.'],
    [{ plan: 'avatars' }, 'There is a plan avatars already: sql/plans/avatars/.'],
    [{ source: 'users' }, '--source: users is not the name of a table.'],
    [{ source: 'public.a;b' }, '--source: public.a;b is not the name of a table.'],
    [{ source: 'public.Users' }, 'There is no table public.Users in this database.'],
    [{ source: 'public.names', key: 'username' }, 'public.names is not a table.'],
    [{ source: 'public.bare', key: 'id' }, 'public.bare has no primary key.'],
    [{ key: 'nope' }, 'public.users has no column nope.'],
    [{ key: 'username' }, 'public.users.username is not unique.'],
    [{ key: 'created_at' }, 'public.users.created_at has type timestamp with time zone.'],
    [{ column: 'bio' }, 'public.users has a column bio already.'],
    [{ column: 'a"b' }, '--column: a"b is not a plain name.'],
  ])('for %j: %s', async (parts, message) => {
    const wish = { plan: 'x', source: 'public.users', key: 'id', column: undefined, ...parts };
    const refused = (async () => {
      checkNames(wish);
      return await draftPlan(db.sql, wish);
    })();
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toBeInstanceOf(UsageError);
  });

  test('for every word that PostgreSQL would have in quotes', async () => {
    const words = await db.sql<
      { word: string }[]
    >`select word from pg_get_keywords() where quote_ident(word) <> word`;
    expect(words.length).toBeGreaterThan(100);
    expect(words.filter(({ word }) => nameProblem(word) === undefined)).toEqual([]);
  });

  test('for files that only capitals tell from those that are there', async () => {
    const folder = await copyProject();
    await writeFile(path.join(folder, 'tests/support/Initials.sql'), '');
    const refused = await plan(folder, 'new initials --source public.users --key id');
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there already: tests/support/Initials.sql'),
    });
  });

  test('for what is there already, or arguments that it cannot understand', async () => {
    const folder = await copyProject();
    await writeFile(path.join(folder, 'tests/sql/plan-there.test.ts'), '');
    const before = await files(folder);
    const refused: [args: string, message: string][] = [
      ['new x --source public.users', '--key is missing'],
      [
        'new there --source public.users --key id',
        'These files are there already: tests/sql/plan-there.test.ts',
      ],
      ['new avatars --source public.users --key id', 'There is a plan avatars already'],
      ['check nothing', 'There is no plan nothing'],
      ['check avatars --key id', 'are for new'],
    ];
    for (const [args, message] of refused) {
      const { code, stdout, stderr } = await plan(folder, args);
      expect({ args, code, stdout, stderr }).toEqual({
        args,
        code: 2,
        stdout: '',
        stderr: expect.stringContaining(message),
      });
    }
    expect(await files(folder)).toEqual(before);
    const hidden = await runLine(folder, 'node scripts/plan.ts new x --source public.users --key id', {
      SUPABASE_URL: 'https://example.supabase.co',
    });
    expect(hidden).toMatchObject({ code: 2, stderr: expect.stringContaining('DATABASE_URL is not set') });
  });

  test('when it fails half-way', async () => {
    const folder = await copyProject();
    // A file where a folder must be: it is met when all of sql/plans/ is written.
    await rm(path.join(folder, 'tests/support/conformance'), { recursive: true });
    await writeFile(path.join(folder, 'tests/support/conformance'), '');
    const before = await files(folder);
    const failed = await plan(folder, 'new initials --source public.users --key id');
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(await files(folder)).toEqual(before);
    expect(await readdir(path.join(folder, 'sql/plans'))).not.toContain('initials');

    await rm(path.join(folder, 'tests/support/conformance'));
    await mkdir(path.join(folder, 'tests/support/conformance'));
    expect(await plan(folder, 'new initials --source public.users --key id')).toMatchObject({ code: 0 });
  });

  test('when the database cannot be reached', async () => {
    const folder = await copyProject();
    const before = await files(folder);
    const url = db.url.replace(/:\d+\//, ':1/');
    const failed = await runLine(folder, 'node scripts/plan.ts new x --source public.users --key id', {
      DATABASE_URL: url,
    });
    expect(failed.code).toBe(1);
    expect(failed.stderr).not.toContain(new URL(db.url).password);
    expect(await files(folder)).toEqual(before);
  });
});
