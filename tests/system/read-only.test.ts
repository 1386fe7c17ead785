/** A database that takes no writes for a while: every driver says so, waits, and goes on by itself. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { installCron, jobs, runJobs, runJobsToTheEnd } from '../support/cron.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll } from '../support/imago.ts';
import { behind, events, project as functions, KEY, STREAM, USERS } from '../support/small-batches.ts';
import { until } from '../support/until.ts';

const WAITING =
  'Waiting: the database is read-only (default_transaction_read_only = on); on Supabase because its disk is nearly full. Nothing is lost, and it goes on by itself;';

/** The reason that everybody is told. */
const READ_ONLY = /^the database is read-only .*disk is nearly full$/;

/** A server of its own: what makes it read-only holds for all its databases. */
let server: TestCluster;

beforeAll(async () => {
  server = await testCluster();
});

afterAll(() => server?.remove());

/** Makes the server read-only, or writable again, as Supabase does: sessions of pools hear of it with their next transaction. */
async function readOnly(db: TestDatabase, on: boolean): Promise<void> {
  const admin = db.connect({ role: 'supabase_admin', max: 1 });
  await admin.unsafe(
    `alter system ${on ? 'set' : 'reset'} default_transaction_read_only ${on ? '= on' : ''}`,
  );
  await admin`select pg_reload_conf()`;
  await until(
    'sessions have heard of it',
    async () => (await value(db.sql, 'show default_transaction_read_only')) === (on ? 'on' : 'off'),
  );
  await admin.end();
}

/** Calls are asked to come back soon. */
const soon = (db: TestDatabase) =>
  db.sql`update imago.setting set value = '50' where name = 'read_only_wait_ms'`;

async function projectOf(users: number): Promise<Project> {
  const project = await freshProject({ users, on: server });
  await soon(project.db);
  return project;
}

const progress = (db: TestDatabase, plan = 'avatars') =>
  call(db.sql, 'get_detailed_migration_progress', { plan });

describe('the command', () => {
  const ways: [string, string[]][] = [
    ['forward through the edge functions', ['--batch-size', '5', '--max-ms', '1000', '--via-function']],
    ['back', ['--max-ms', '1', '--rollback']],
  ];
  test.each(ways)(
    '%s, in the middle of a run: it waits, says why, as --watch does, and goes on',
    async (way, flags) => {
      const { db, environment } = await projectOf(200);
      // A call moves little, so that there is a half-way.
      await db.sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
      const before = await checksums(db.sql);
      if (way === 'back') await migrateAll(db.sql);
      // And each row takes a while, so that somebody sees it.
      await db.sql.unsafe(`
        create function public.rest() returns trigger language plpgsql as 'begin perform pg_sleep(0.02); return new; end';
        create trigger rest before update on public.users for each row execute function public.rest()`);
      const running = startCommand(['--yes', '--workers', '1', ...flags], environment);
      await until('it is half-way', async () => {
        const { state, direction, migrated } = await progress(db);
        return state === 'running' && (direction === 'rollback' ? migrated < 200 : migrated > 0);
      });
      await readOnly(db, true);
      await running.says(WAITING);
      const { migrated } = await progress(db);
      const watch = startCommand(['--watch'], environment);
      await watch.says(WAITING);
      expect(await progress(db)).toMatchObject({
        state: 'running',
        migrated,
        waiting: expect.stringMatching(READ_ONLY),
      });
      await readOnly(db, false);
      await running.says('Going on.');
      expect((await running.finished).code).toBe(0);
      expect((await watch.finished).code).toBe(0);
      if (way === 'back') expect(await checksums(db.sql)).toEqual(before);
      else await expectAllMigrated(db.sql);
    },
  );

  test('--finalize, --cleanup and validate --fix-issues: the same; what only looks does not wait', async () => {
    const { db, environment } = await projectOf(20);
    await migrateAll(db.sql);
    for (const [script, ...args] of [
      ['scripts/validate.ts', '--fix-issues', '--yes'],
      ['scripts/migrate.ts', '--finalize', '--yes'],
      ['scripts/migrate.ts', '--cleanup', '--older-than', '0 days', '--yes'],
    ] as [string, ...string[]][]) {
      await readOnly(db, true);
      const running = startCommand(args, environment, { script });
      await running.says(WAITING);
      if (args[0] === '--finalize') {
        const [validated, figures] = await Promise.all([
          runCommand(['--json'], environment, { script: 'scripts/validate.ts' }),
          runCommand(['--stats-only'], environment),
        ]);
        expect(validated).toMatchObject({ code: 0 });
        expect(figures).toMatchObject({
          code: 0,
          stdout: expect.stringContaining('Waiting │ the database is read-only'),
        });
      }
      await readOnly(db, false);
      expect(await running.finished).toMatchObject({ code: 0, stderr: expect.stringContaining('Going on.') });
    }
    expect(await progress(db)).toMatchObject({ phase: 'cleaned up', waiting: null });
  });
});

describe('the edge functions', () => {
  test.each([
    ['migrate', {}],
    ['rollback', { all: true, confirm: 'avatars' }],
  ])(
    '%s: JSON and stream say waiting, with reason and time, once, and a later request goes on',
    async (name, json) => {
      const db = await behind({ on: server });
      await soon(db);
      if (name === 'rollback') await migrateAll(db.sql);
      await readOnly(db, true);
      const waiting = {
        status: 'waiting',
        has_more: true,
        reason: expect.stringMatching(READ_ONLY),
        retry_after_ms: 50,
        calls: 1,
      };
      expect(await functions.call(KEY, name, { json })).toMatchObject({ status: 200, json: waiting });
      const streamed: string[] = [];
      for await (const { event, data } of events(
        await functions.send(KEY, name, { json, headers: STREAM }),
      )) {
        expect(data).toMatchObject(waiting);
        streamed.push(event);
      }
      expect(streamed).toEqual(['progress', 'done']);
      expect(await functions.call(KEY, 'progress', { method: 'GET' })).toMatchObject({
        status: 200,
        json: { waiting: waiting.reason },
      });
      expect(await functions.call(KEY, 'validate', { json: {} })).toMatchObject({
        status: 200,
        json: { status: 'done' },
      });
      expect(await functions.call(KEY, 'migrate', { json: { action: 'pause' } })).toMatchObject({
        status: 503,
        json: { code: 'IM064' },
      });
      await readOnly(db, false);
      const last = await functions.call(KEY, name, { json });
      expect(last.json).toMatchObject({
        status: 'done',
        [name === 'rollback' ? 'rolled_back' : 'migrated']: USERS,
      });
    },
  );
});

test('pg_cron: ticks say waiting, the job stays, and the first tick that can write goes on', async () => {
  const db = await freshDatabase({ app: 'sample', users: 20, on: server });
  onTestFinished(db.drop);
  await installCron(db);
  await soon(db);
  await db.sql`update imago.setting set value = '1' where name = 'tick_ms'`;
  await call(db.sql, 'schedule_migration');
  await runJobs(db);
  await readOnly(db, true);
  const waiting = { status: 'waiting', reason: expect.stringMatching(READ_ONLY), retry_after_ms: 50 };
  expect(await value(db.sql, `select imago.tick('avatars')`)).toMatchObject(waiting);
  expect(await runJobs(db)).toMatchObject([{ status: 'succeeded' }]);
  expect(await jobs(db)).toMatchObject([{ active: true }]);
  await readOnly(db, false);
  expect((await runJobsToTheEnd(db)).at(-1)).toMatchObject({ status: 'succeeded' });
  expect(await progress(db)).toMatchObject({ state: 'succeeded' });
  expect(await jobs(db)).toEqual([]);
});
