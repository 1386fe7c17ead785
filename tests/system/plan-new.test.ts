import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';
import { checkNames, expectFree, filesOf, type Wish } from '../../scripts/plan/create.ts';
import { nameProblem } from '../../scripts/plan/plan-name.ts';
import { Problem } from '../../scripts/plan/problem.ts';
import { readProject } from '../../scripts/plan/project.ts';
import { type Finished, runCommand } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { contents, projectFolder } from '../support/project.ts';

/** `imago plan new` in somebody's project, on a table that its migrations make or that a database has. */

const script = 'scripts/plan.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 3 });
  await db.sql.unsafe(`
    create view public.names as select username from public.users;
    create table public.bare (id uuid not null unique);
    create table public.members (team integer, person uuid, primary key (team, person));
    create schema taken`);
});
afterAll(() => db.drop());

const plan = (folder: string, args: string, environment: Record<string, string> = {}): Promise<Finished> =>
  runCommand([...args.split(' '), '--workdir', folder], environment, { script });

const wish = (parts: Partial<Wish> = {}): Wish => ({
  plan: 'x',
  source: 'public.users',
  key: 'id',
  column: undefined,
  ...parts,
});

/** The code and the words of a refusal. */
async function refusalOf(work: () => unknown): Promise<Pick<Problem, 'code' | 'message' | 'hint'>> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Problem) return { code: error.code, message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error('it was not refused');
}

/** Tables as projects on Supabase have them: of a schema of their own, with names in capitals, that refer to auth.users. */
const SHOP = {
  'supabase/migrations/20250201000000_shop.sql': `
    create schema "Shop";
    create extension if not exists citext with schema extensions;
    create type "Shop"."Kind" as enum ('plain', 'it''s special');
    create table public.profiles (
      id uuid primary key references auth.users on delete cascade,
      name text not null check (length(name) > 1)
    );
    create function public.new_profile() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
      insert into public.profiles values (new.id, 'Somebody');
      return new;
    end
    $$;
    create trigger new_profile after insert on auth.users for each row execute function public.new_profile();
    create table "Shop"."Orders" (
      "orderId" bigint generated always as identity primary key,
      buyer uuid not null references public.profiles,
      kind "Shop"."Kind" not null,
      mail extensions.citext not null,
      note text
    );`,
};

test('plan new writes a plan into the project that has nothing wrong with it, and says what is next', async () => {
  const folder = await projectFolder(SHOP);
  const before = await contents(folder);
  const made = await plan(folder, 'new order_codes --source Shop.Orders --key orderId --json');
  expect(made, made.stderr).toMatchObject({ code: 0 });
  const { files, unfilled, next } = made.json();
  expect(unfilled).toEqual([]);
  const after = await contents(folder);
  expect(Object.keys(after).filter((file) => after[file] !== before[file])).toEqual([...files].sort());
  expect(files).toContain('supabase/imago/plans/order_codes/functions/apply.sql');
  expect(next[0]).toMatch(/plan\S* check order_codes$/);

  const checked = await plan(folder, 'check order_codes --json');
  expect(checked.json(), checked.stderr).toMatchObject({ status: 'clean', exit_code: 0, findings: [] });
});

describe('plan new refuses, and writes nothing,', () => {
  test.each<[parts: Partial<Wish>, code: string, message: string]>([
    [{ plan: 'select' }, 'bad-name', 'PostgreSQL reserves the word'],
    [{ plan: 'Initials' }, 'bad-name', 'It begins with a small letter'],
    [{ plan: 'a"b' }, 'bad-name', 'only small letters, digits and underscores'],
    [{ plan: 'auth' }, 'bad-name', 'the name of a schema of Supabase'],
    [{ plan: 'taken_column', column: 'ctid' }, 'bad-name', 'ctid cannot be the name of a column.'],
    [{ column: 'a"b' }, 'bad-name', '--column: a"b is not a plain name.'],
    [{ plan: 'taken' }, 'name-taken', 'The database has a schema taken already.'],
    [{ column: 'bio' }, 'name-taken', 'public.users has a column bio already.'],
    [{ source: 'users' }, 'no-table', '--source: users is not the name of a table.'],
    [{ source: 'public.a;b' }, 'no-table', '--source: public.a;b is not the name of a table.'],
    [{ source: 'public.Users' }, 'no-table', 'There is no table public.Users.'],
    [{ source: 'public.names', key: 'username' }, 'unfit-table', 'public.names is not a table.'],
    [{ source: 'public.bare', key: 'id' }, 'unfit-table', 'public.bare has no primary key.'],
    [
      { source: 'auth.users', column: 'nick' },
      'unfit-table',
      'auth.users belongs to supabase_auth_admin, and gets no column of yours.',
    ],
    [
      { source: 'auth.users', kind: { name: 'not-null', options: { column: 'email' } } },
      'unfit-table',
      'and --kind not-null changes the table that it walks.',
    ],
    [{ source: 'auth.users', plan: 'members' }, 'name-taken', 'There is public.members already.'],
    [
      { source: 'auth.schema_migrations', key: 'version' },
      'unfit-table',
      'auth.schema_migrations belongs to supabase_auth_admin, and you may not read it.',
    ],
    [{ key: 'nope' }, 'bad-key', 'public.users has no column nope.'],
    [{ key: 'username' }, 'bad-key', 'public.users.username is not unique.'],
    [{ key: 'created_at' }, 'bad-key', 'public.users.created_at has type timestamp with time zone.'],
    [
      { source: 'public.members', key: 'person' },
      'bad-key',
      'public.members.person is not unique: the primary key is (team, person).',
    ],
    [
      { source: 'public.members', key: 'person,team' },
      'bad-key',
      'public.members has no unique index on (person, team) in this order: the primary key is (team, person).',
    ],
    [{ source: 'public.members', key: 'team,team' }, 'bad-key', '--key names team twice.'],
    [
      {
        source: 'public.members',
        key: 'team,person',
        kind: { name: 'dedupe', options: { columns: 'team' } },
      },
      'bad-key',
      '--kind dedupe walks by one column, and team,person are several',
    ],
  ])('for %j: %s, %s', async (parts, code, message) => {
    const refused = await refusalOf(async () => {
      checkNames(wish(parts));
      await filesOf(db.sql, wish(parts));
    });
    expect(refused).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(refused.hint).not.toBe('');
  });

  test('for every word that PostgreSQL would have in quotes', async () => {
    const words = await db.sql<
      { word: string }[]
    >`select word from pg_get_keywords() where quote_ident(word) <> word`;
    expect(words.length).toBeGreaterThan(100);
    expect(words.filter(({ word }) => nameProblem(word) === undefined)).toEqual([]);
  });

  test('for a name that has a folder, in whatever letters, a migration, or a plan of Imago', async () => {
    const folder = await projectFolder({
      'supabase/imago/plans/Initials/schema.sql': '',
      'supabase/migrations/20250301000000_imago_plan_old.sql': `-- imago plan: old sources:${'0'.repeat(16)} after:- text:${'0'.repeat(64)}\n`,
    });
    const project = readProject(folder);
    for (const name of ['initials', 'old', 'avatars']) {
      expect(await refusalOf(() => expectFree(project, name))).toMatchObject({ code: 'name-taken' });
    }
    expectFree(project, 'others');
  });

  test('outside of a project, in that of Imago itself, and for arguments that it cannot understand', async () => {
    const folder = await projectFolder();
    const before = await contents(folder);
    const cases: [folder: string, args: string, code: string, message: string][] = [
      ['/', 'new x --source public.users --key id', 'no-project', 'There is no supabase/config.toml'],
      [packageFolder, 'new x --source public.users --key id', 'own-repository', 'the folder of Imago itself'],
      [folder, 'new x --source public.users', 'usage', '--key is missing'],
      [folder, 'check nothing', 'no-such-plan', 'There is no plan nothing'],
      [folder, 'test ../../x', 'no-such-plan', 'There is no plan ../../x'],
      [folder, 'check x --key id', 'usage', '--key is for new'],
    ];
    for (const [where, args, code, message] of cases) {
      const refused = await plan(where, `${args} --json`);
      expect({ args, code: refused.code, ...refused.json().error }).toMatchObject({
        args,
        code,
        message: expect.stringContaining(message),
      });
      expect(refused.code).toBe(2);
    }
    expect(await contents(folder)).toEqual(before);
  });

  test('where the folder cannot be written, or a file stands in the way', async () => {
    const folder = await projectFolder();
    await mkdir(path.join(folder, 'supabase/imago'));
    await writeFile(path.join(folder, 'supabase/imago/plans'), '');
    await chmod(path.join(folder, 'supabase/imago'), 0o555);
    const before = await contents(folder);
    const failed = await plan(folder, 'new x --source public.things --key id');
    expect(failed).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('(not-writable)') });
    expect(await contents(folder)).toEqual(before);
  });

  test('when a migration of the project fails, or the database cannot be reached', async () => {
    const folder = await projectFolder({
      'supabase/migrations/20250201000000_broken.sql':
        'create table public.more (id integer primary key);\nselect nothing;\n',
    });
    const before = await contents(folder);
    const failed = await plan(folder, 'new x --source public.things --key id --json');
    expect(failed.json()).toMatchObject({
      status: 'failed',
      exit_code: 1,
      error: { code: 'migration-fails' },
    });
    expect(failed.stderr).toContain('20250201000000_broken.sql:2');
    const unreachable = await plan(folder, 'new x --source public.things --key id', {
      DATABASE_URL: db.url.replace(/:\d+\//, ':1/'),
    });
    expect(unreachable.code).toBe(1);
    expect(unreachable.stderr).not.toContain(new URL(db.url).password);
    expect(await contents(folder)).toEqual(before);
  });
});

test('plan new looks into the database that DATABASE_URL names', async () => {
  const folder = await projectFolder();
  const made = await plan(folder, 'new initials --source public.users --key id --json', {
    DATABASE_URL: db.url,
  });
  expect(made.json(), made.stderr).toMatchObject({ status: 'created' });
  const listed = await plan(folder, 'list --json', { DATABASE_URL: db.url });
  expect(listed.json()).toMatchObject({
    database: 'named',
    plans: expect.arrayContaining([
      { plan: 'initials', local: 'new', migrations: [], installed: null, title: null },
      expect.objectContaining({ plan: 'avatars', local: null, installed: 'registered' }),
    ]),
  });
});
