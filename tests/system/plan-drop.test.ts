import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { planWork, write } from '../../scripts/plan/build.ts';
import { createPlan, expectFree } from '../../scripts/plan/create.ts';
import { listPlans } from '../../scripts/plan/list.ts';
import { builtOf, plansFolder, readPlan, readProject } from '../../scripts/plan/project.ts';
import { runAll } from '../../scripts/plan/schema.ts';
import { call, refusal, value } from '../support/call.ts';
import { answerOnTerminal, type Finished, runCommand } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { projectFolder } from '../support/project.ts';
import { until } from '../support/until.ts';

/** `imago plan drop`: a plan whose folder is gone is taken out, once it has no way back. */

const script = 'scripts/plan.ts';
const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function database(): Promise<TestDatabase> {
  const db = await freshDatabase({ migrated: false });
  databases.push(db);
  return db;
}

const users = `create table public.users (id integer primary key, name text);
insert into public.users select n, 'user ' || n from generate_series(1, 5) n;\n`;

/** A project with the plan `trial`, built, and a database that has it. */
async function pushed(): Promise<{ folder: string; db: TestDatabase }> {
  const folder = await projectFolder({ 'supabase/migrations/20250101000000_things.sql': users });
  const app = await database();
  await app.sql.unsafe(users);
  const wish = { plan: 'trial', source: 'public.users', key: 'id', column: undefined };
  await createPlan(app.sql, readProject(folder), wish);
  const project = readProject(folder);
  const scratch = { database: () => freshDatabase({ migrated: false }) };
  await write(project, await planWork(project, [readPlan(project, 'trial')], async () => scratch));
  const db = await database();
  await runAll(db.sql, readProject(folder).migrations);
  return { folder, db };
}

const drop = (folder: string, words: string[], url: string): Promise<Finished> =>
  runCommand(['drop', 'trial', '--workdir', folder, ...words], { DATABASE_URL: url }, { script });

test('a plan whose folder is gone is taken out by a migration, once it is taken back and cleaned up', async () => {
  const { folder, db } = await pushed();
  const { sql, url } = db;
  const refused = async (code: string) => {
    const { code: exit, json } = await drop(folder, ['--yes', '--json'], url);
    expect(exit).toBe(2);
    expect(json()).toMatchObject({ status: 'refused', error: { code } });
    return json().error as { message: string; hint: string };
  };
  const sqlRefuses = () => refusal(sql`select imago.drop_plan('trial')`);
  expect((await refused('folder-there')).hint).toContain(`rm -r ${plansFolder}/trial`);
  await rm(path.join(folder, plansFolder, 'trial'), { recursive: true });
  const files = () => readProject(folder).migrations.map(({ file }) => file);
  const before = files();

  await call(sql, 'prepare_migration', { plan: 'trial' });
  while ((await call(sql, 'prepare_migration', { plan: 'trial' })).has_more);
  expect(await refused('plan-in-use')).toMatchObject({
    message: 'The plan trial cannot be dropped: it is prepared, and can be taken back.',
    hint: expect.stringContaining("select rollback_batch('trial')"),
  });
  await call(sql, 'migrate_batch', { plan: 'trial', batch_size: 2, max_ms: 1 });
  expect((await refused('plan-in-use')).hint).toContain("select cancel_migration('trial')");
  expect(await sqlRefuses()).toMatchObject({ code: 'IM095', message: expect.stringContaining('is running') });
  await migrateAll(sql, { plan: 'trial' });
  expect(await sqlRefuses()).toMatchObject({ code: 'IM095', message: expect.stringContaining('taken back') });
  await rollbackAll(sql, { plan: 'trial' });
  expect((await refused('plan-in-use')).hint).toContain("select cleanup_migration('trial')");
  while ((await call(sql, 'cleanup_migration', { plan: 'trial', older_than: '0' })).has_more);

  // Something of the app stands on it.
  await sql.unsafe('create view public.waiting as select entity from trial.pending');
  expect((await refused('plan-in-use')).message).toContain('view public.waiting');
  expect(await sqlRefuses()).toMatchObject({
    code: 'IM095',
    message: expect.stringContaining('view public.waiting'),
  });
  await sql.unsafe('drop view public.waiting');
  const unasked = await drop(folder, [], url);
  expect(unasked.code).toBe(2);
  expect(unasked.stderr).toContain('--yes');
  const words = [script, 'drop', 'trial', '--workdir', folder];
  const declined = await answerOnTerminal(words, { DATABASE_URL: url }, 'n');
  expect(declined, declined.said).toMatchObject({
    code: 3,
    said: expect.stringContaining('Nothing was written.'),
  });
  expect(files()).toEqual(before);

  const done = await drop(folder, ['--yes', '--json'], url);
  expect(done.code, done.stderr).toBe(0);
  expect(done.json()).toMatchObject({ status: 'done', plan: 'trial', next: ['npx supabase db push'] });
  const added = readProject(folder).migrations.slice(before.length);
  expect(added.map(({ file }) => file)).toEqual(done.json().files);
  expect(added[0]?.file).toMatch(/_imago_plan_trial_drop\.sql$/);
  const left = () =>
    value<number>(
      sql,
      `select (select count(*) from imago.plan where name = 'trial')::int + (select count(*) from pg_namespace where nspname = 'trial')::int
        + (select count(*) from pg_proc where proname like 'trial%' and pronamespace = 'imago_undo'::regnamespace)::int
        + jsonb_array_length(imago.installed_triggers()) + jsonb_array_length(imago.installed_undo())`,
    );
  expect(await left()).toBeGreaterThan(0);
  await runAll(sql, added);
  expect(await left()).toBe(0);
  expect(await value(sql, 'select count(*)::int from public.users')).toBe(5);
  expect(await value(sql, "select event from imago.log where plan = 'trial' order by id desc limit 1")).toBe(
    'dropped',
  );
  // A database that never had it, or has it no more, takes the migration as well.
  await runAll(sql, added);

  const project = readProject(folder);
  expect(listPlans(project, [])).toEqual([]);
  expect(builtOf(project, 'trial')).toEqual([]);
  expectFree(project, 'trial');
  expect((await refused('no-such-plan')).message).toContain('is taken out already');
});

test('a view that somebody makes on a plan while it is dropped is kept, and the drop is refused', async () => {
  const { db } = await pushed();
  const { sql } = db;
  await migrateAll(sql, { plan: 'trial' });
  await rollbackAll(sql, { plan: 'trial' });
  while ((await call(sql, 'cleanup_migration', { plan: 'trial', older_than: '0' })).has_more);
  let dropping: ReturnType<typeof refusal> | undefined;
  await sql.begin(async (app) => {
    await app.unsafe('create view public.waiting as select entity from trial.pending');
    dropping = refusal(sql`select imago.drop_plan('trial')`);
    await until('the drop waits for the view', () =>
      value(
        sql,
        `select exists (select from pg_locks where relation = 'trial.pending'::regclass and not granted)`,
      ),
    );
    // What the view reads is not held for it: the app's table.
    expect(
      await value(
        sql,
        `select count(*)::int from pg_locks where relation = 'public.users'::regclass and mode = 'AccessExclusiveLock'`,
      ),
    ).toBe(0);
  });
  expect(await dropping).toMatchObject({
    code: 'IM095',
    message: expect.stringContaining('view public.waiting'),
  });
  expect(await value(sql, 'select count(*)::int from public.waiting')).toBe(5);
});

test('a plan that was finalized is taken out once it is cleaned up, and what it has added stays', async () => {
  const { folder, db } = await pushed();
  const { sql } = db;
  await rm(path.join(folder, plansFolder, 'trial'), { recursive: true });
  await migrateAll(sql, { plan: 'trial' });
  const refuses = () => refusal(sql`select imago.drop_plan('trial')`);
  while ((await call(sql, 'finalize_migration', { plan: 'trial' })).has_more);
  expect(await refuses()).toMatchObject({
    code: 'IM095',
    hint: expect.stringContaining("cleanup_migration('trial')"),
  });
  while ((await call(sql, 'cleanup_migration', { plan: 'trial', older_than: '0' })).has_more);
  await sql`select imago.drop_plan('trial')`;
  expect(await value(sql, 'select count(trial)::int from public.users')).toBe(5);
  expect(
    await value(
      sql,
      'select jsonb_array_length(imago.installed_triggers()) + jsonb_array_length(imago.installed_undo())',
    ),
  ).toBe(0);
});
