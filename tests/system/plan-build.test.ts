import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { planWork, type Work, write } from '../../scripts/plan/build.ts';
import type { Database } from '../../scripts/plan/conformance/callers.ts';
import { createPlan } from '../../scripts/plan/create.ts';
import { Problem } from '../../scripts/plan/problem.ts';
import { type Project, plansFolder, readPlan, readProject } from '../../scripts/plan/project.ts';
import { runAll } from '../../scripts/plan/schema.ts';
import { call } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, install, projectFolder, push } from '../support/project.ts';

/** `imago plan build`: what is new of a plan as one more migration, and nothing else. */

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function database(): Promise<TestDatabase> {
  const db = await freshDatabase({ migrated: false });
  databases.push(db);
  return db;
}

const scratch = { database: (): Promise<Database & { name: string }> => freshDatabase({ migrated: false }) };

const users =
  'create table public.users (id uuid primary key default gen_random_uuid(), display_name text);\n';

/** The files of a project with the plan `trial` on public.users, built: the same for every test. */
let builtFiles: Record<string, string> | undefined;

/** Such a project of its own for one test. */
async function built(): Promise<string> {
  if (builtFiles) return await projectFolder(builtFiles);
  const folder = await projectFolder({ 'supabase/migrations/20250101000000_things.sql': users });
  const { sql } = await database();
  await sql.unsafe(users);
  await createPlan(sql, readProject(folder), {
    plan: 'trial',
    source: 'public.users',
    key: 'id',
    column: undefined,
  });
  await build(folder);
  builtFiles = await contents(folder);
  return folder;
}

/** Builds; gives what was to be written. */
async function build(folder: string): Promise<Work> {
  const project = readProject(folder);
  const work = await planWork(project, [readPlan(project, 'trial')], async () => scratch);
  await write(project, work);
  return work;
}

const file = (name: string) => `${plansFolder}/trial/${name}.sql`;

async function edit(folder: string, name: string, from: string | RegExp, to: string): Promise<void> {
  const place = path.join(folder, file(name));
  const text = await readFile(place, 'utf8');
  expect(text.replace(from, () => to)).not.toBe(text);
  await writeFile(
    place,
    text.replace(from, () => to),
  );
}

/** The migrations of a project, the first of them the app's. */
const migrations = (folder: string): Project['migrations'] => readProject(folder).migrations;

/** What changes, and the migration's text. */
async function change(folder: string): Promise<{ changes: string[]; text: string; remarks: string[] }> {
  const { changes, steps } = await build(folder);
  expect(changes).toHaveLength(1);
  return {
    changes: steps[0]?.changes ?? [],
    text: changes[0]?.after ?? '',
    remarks: steps[0]?.remarks ?? [],
  };
}

/** A function of the plan that nobody calls. */
const helper = (args: string, name = 'helper') =>
  `create or replace function trial.${name}(${args}) returns text language sql immutable set search_path = '' as 'select $1::text';
   comment on function trial.${name}(${args}) is 'Helps.';\n`;

/** The refusal of a build. */
async function refused(folder: string): Promise<Problem> {
  const before = await contents(folder);
  const problem = await build(folder).then(
    () => undefined,
    (error) => error,
  );
  expect(problem).toBeInstanceOf(Problem);
  expect(await contents(folder)).toEqual(before);
  return problem;
}

test('a new plan is built with the engine, after the migrations of the project, and both can be pushed; so can what changes while it runs', async () => {
  const folder = await built();
  expect(migrations(folder).map(({ file: name }) => name.replace(/\d{14}_/, ''))).toEqual([
    'supabase/migrations/things.sql',
    'supabase/migrations/imago_engine.sql',
    'supabase/migrations/imago_plan_trial.sql',
  ]);
  expect((await build(folder)).changes).toEqual([]);
  const { sql, url } = await database();
  expect(await push(folder, url)).toMatchObject({ code: 0 });
  await sql`insert into public.users (display_name) select 'User ' || n from generate_series(1, 20) n`;

  // A function of a plan that is under way may change, and the run goes on with it.
  while ((await call(sql, 'migrate_batch', { plan: 'trial', batch_size: 3, max_ms: 1 })).migrated === 0);
  const before = migrations(folder);
  await edit(folder, 'functions/apply', 's.id::text', "'new ' || s.id");
  const { changes, text } = await change(folder);
  expect(changes).toEqual(['changed function trial.apply(uuid[])']);
  expect(text).toContain("'new ' || s.id");
  expect(text).not.toContain('create_plan');
  expect(text).not.toContain('trial.prepare');
  expect(migrations(folder).slice(0, -1)).toEqual(before);
  expect(migrations(folder).at(-1)?.file).toMatch(/_imago_plan_trial_2\.sql$/);
  expect((await build(folder)).changes).toEqual([]);
  expect(await push(folder, url)).toMatchObject({ code: 0 });
  expect((await migrateAll(sql, { plan: 'trial' })).at(-1)).toMatchObject({ state: 'succeeded' });
  const moved = await sql<{ new: boolean; count: number }[]>`
    select trial like 'new %' as new, count(*)::int from public.users group by 1 order by 1`;
  expect(moved).toMatchObject([{ new: false }, { new: true }]);

  // A change of what a prepared plan writes stops the push there, and passes once the plan is taken back.
  await edit(folder, 'registration', /insert into imago\.plan_sync[\s\S]*?;\n/, '');
  await change(folder);
  const stopped = await push(folder, url);
  expect(stopped.code).not.toBe(0);
  expect(stopped.output).toContain('plan trial is prepared');
  expect(await sql`select name from imago.plan_sync where plan = 'trial'`).toHaveLength(1);
  await rollbackAll(sql, { plan: 'trial' });
  expect(await push(folder, url)).toMatchObject({ code: 0 });
  expect(await sql`select name from imago.plan_sync where plan = 'trial'`).toHaveLength(0);
  expect((await migrateAll(sql, { plan: 'trial' })).at(-1)).toMatchObject({ state: 'succeeded' });
});

test('a project that has the engine gets the plan alone, and install leaves the plan alone', async () => {
  const folder = await projectFolder({ 'supabase/migrations/20250101000000_things.sql': users });
  expect(await install(folder, '--plans', 'none', '--no-functions')).toMatchObject({ status: 'done' });
  const { sql } = await database();
  await sql.unsafe(users);
  await createPlan(sql, readProject(folder), {
    plan: 'trial',
    source: 'public.users',
    key: 'id',
    column: undefined,
  });
  expect((await build(folder)).changes).toHaveLength(1);
  expect(await install(folder, '--plans', 'none', '--no-functions')).toMatchObject({ status: 'unchanged' });
});

describe('a change since is one more migration, of what has changed:', () => {
  test('remarks and white space outside of functions are none', async () => {
    const folder = await built();
    await edit(
      folder,
      'registration',
      'insert into imago.plan_write',
      '-- what it writes\ninsert into   imago.plan_write',
    );
    expect((await build(folder)).changes).toEqual([]);
  });

  test('functions that are new, gone, with other arguments, and a default that is back; rows of the registration, with what the engine keeps in them; steps that change places; the title', async () => {
    const folder = await built();
    const preflight = `create or replace function trial.preflight() returns setof imago.problem language sql stable set search_path = ''
      as $$ select 'warning', 'mine', 'x', 'y', 'z' where false $$;
      comment on function trial.preflight() is 'Mine.';\n`;
    const ends = (
      first: number,
      second: number,
    ) => `insert into imago.plan_step (plan, position, name, routine, phase) values
      ('trial', ${first}, 'one', 'prepare', 'finalize'), ('trial', ${second}, 'two', 'prepare', 'finalize');\n`;
    await writeFile(path.join(folder, file('functions/helper')), helper('a integer'));
    await writeFile(path.join(folder, file('functions/other')), helper('a integer', 'other'));
    await writeFile(path.join(folder, file('functions/preflight')), preflight);
    await edit(folder, 'registration', "'error', 'after'", "'warning', 'after'");
    await edit(folder, 'registration', /insert into imago\.plan_sync[\s\S]*?;\n/, '');
    await edit(folder, 'registration', 'select imago.revoke', `${ends(2, 3)}select imago.revoke`);
    await edit(folder, 'schema', /'trial for all[^']*'/, "'A better title'");
    const first = await change(folder);
    expect(first.changes.toSorted()).toEqual([
      'added function trial.helper(integer)',
      'added function trial.other(integer)',
      'added one in imago.plan_step',
      'added two in imago.plan_step',
      'changed function trial.preflight()',
      'changed rows_without_value in imago.plan_check',
      'changed trial in imago.plan',
      'dropped new rows in imago.plan_sync',
    ]);
    expect(first.text).toContain(`update imago.plan_check set "severity" = 'warning'`);
    expect(first.remarks[0]).toContain('is prepared already');

    await writeFile(path.join(folder, file('functions/helper')), helper('b integer'));
    await rm(path.join(folder, file('functions/other')));
    await rm(path.join(folder, file('functions/preflight')));
    await edit(folder, 'registration', ends(2, 3), ends(3, 2));
    const second = await change(folder);
    expect(second.changes).toEqual([
      'dropped function trial.other(integer)',
      'changed function trial.helper(integer)',
      'changed function trial.preflight()',
      'changed one in imago.plan_step',
      'changed two in imago.plan_step',
    ]);
    expect(second.text).toContain('drop function trial.helper(integer);');
  });
});

describe('build refuses, and writes nothing, where', () => {
  test('the SQL of the plan fails', async () => {
    const folder = await built();
    await edit(folder, 'functions/apply', 'language sql', 'language sqll');
    expect(await refused(folder)).toMatchObject({ code: 'plan-fails', exitCode: 1 });
  });

  test('it cannot write a change: a table that schema.sql makes. A migration by hand helps', async () => {
    const folder = await built();
    const table =
      "create table trial.notes (id integer primary key);\ncomment on table trial.notes is 'Notes.';\n";
    await edit(folder, 'schema', /$/, table);
    const problem = await refused(folder);
    expect(problem).toMatchObject({
      code: 'not-proven',
      message: expect.stringContaining('relation trial.notes'),
    });
    const version = String(BigInt(migrations(folder).at(-1)?.version ?? 0) + 1n);
    await writeFile(path.join(folder, `supabase/migrations/${version}_notes.sql`), table);
    expect((await build(folder)).changes).toEqual([]);
  });

  test('a file stands where nothing is read, or one is missing', async () => {
    const folder = await built();
    await writeFile(path.join(folder, file('aply')), '');
    expect(await refused(folder)).toMatchObject({
      code: 'bad-plan',
      message: expect.stringContaining('aply.sql'),
    });
    await rm(path.join(folder, file('aply')));
    await rm(path.join(folder, file('registration')));
    expect(await refused(folder)).toMatchObject({
      code: 'bad-plan',
      message: expect.stringContaining('is missing'),
    });
  });
});

test('what somebody has changed in a migration counts: build writes what leads from there to the sources', async () => {
  const folder = await built();
  const last = migrations(folder).at(-1);
  await writeFile(path.join(folder, last?.file ?? ''), last?.text.replace('s.id::text', "'edited'") ?? '');
  expect(readPlan(readProject(folder), 'trial').standing).toBe('changed');
  expect((await change(folder)).changes).toEqual(['changed function trial.apply(uuid[])']);
  expect((await build(folder)).changes).toEqual([]);
});

test('what two people have built at the same time is compared as a whole, and what is missing is written', async () => {
  const folder = await built();
  const sources = async () => await readFile(path.join(folder, file('functions/apply')), 'utf8');
  const original = await sources();
  await writeFile(path.join(folder, file('functions/extra')), helper('a integer'));
  await change(folder);
  const theirs = migrations(folder).at(-1);
  await rm(path.join(folder, theirs?.file ?? ''));
  await rm(path.join(folder, file('functions/extra')));
  await edit(folder, 'functions/apply', 's.id::text', "'mine'");
  await change(folder);
  expect(await sources()).not.toBe(original);
  // Both are merged, and the function of theirs was not.
  const before = String(BigInt(migrations(folder).at(-2)?.version ?? 0) + 1n);
  await writeFile(
    path.join(folder, `supabase/migrations/${before}_imago_plan_trial_2.sql`),
    theirs?.text ?? '',
  );
  expect((await change(folder)).changes).toEqual(['dropped function trial.helper(integer)']);
  expect((await build(folder)).changes).toEqual([]);
});

test('after Imago was removed and installed again the plan is built whole again', async () => {
  const folder = await built();
  expect(await install(folder, '--uninstall')).toMatchObject({ status: 'done' });
  expect(readPlan(readProject(folder), 'trial').standing).toBe('new');
  expect(await install(folder, '--plans', 'none', '--no-functions')).toMatchObject({ status: 'done' });
  const { changes } = await build(folder);
  expect(changes[0]?.after).toContain('create_plan');
  const { sql } = await database();
  await runAll(sql, migrations(folder));
  expect(await sql`select from imago.plan where name = 'trial'`).toHaveLength(1);
});
