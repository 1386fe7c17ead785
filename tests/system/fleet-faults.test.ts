/** Members, workers and control databases that fail, on real databases: nothing twice, nothing lost. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { changeRollout, readProgress } from '../../scripts/fleet/rollout.ts';
import { packageFolder } from '../../scripts/package.ts';
import { prepareAll } from '../support/avatars.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestDatabase } from '../support/database.ts';
import {
  addDatabase,
  addMember,
  begin,
  counts,
  type Fleet,
  freshFleet,
  patiently,
  startWorker,
  USERS,
  untilState,
} from '../support/fleet.ts';

const whole = { moved: USERS, avatars: USERS, wrong: 0 };

let fleet: Fleet;
const databases: TestDatabase[] = [];
const open = async (name: string, typed: Parameters<typeof addDatabase>[2] = {}, of = fleet) => {
  const db = await addDatabase(of, name, typed);
  databases.push(db);
  return db;
};

beforeAll(async () => {
  fleet = await freshFleet();
});
afterAll(async () => {
  await fleet.close();
  await Promise.all(databases.map((db) => db.drop()));
});

const troubled = async (rollout: number, of = fleet) =>
  Object.fromEntries(
    (await readProgress(of.control, rollout)).troubled.map(({ member, code }) => [member, code]),
  );

/** Some users a call: what one holds, others need not wait for. */
const run = { batch_size: 5 };

/** Keeps the last user of a member from being moved until it is let go. */
async function holdLast({ sql, connect }: TestDatabase): Promise<() => Promise<void>> {
  // A step that adds a column would wait for a session that holds a row.
  await prepareAll(sql);
  const holder = connect();
  const [last] = await sql<{ id: string }[]>`select id from users order by id desc limit 1`;
  const held = Promise.withResolvers<void>();
  const done = holder.begin(async (tx) => {
    await tx`select from users where id = ${last?.id ?? ''} for update`;
    held.resolve();
    await letGo.promise;
  });
  const letGo = Promise.withResolvers<void>();
  await held.promise;
  return async () => {
    letGo.resolve();
    await done;
  };
}

/** Starts the command as a process of its own. */
function start({ url }: Fleet, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [path.join(packageFolder, 'scripts/imago.ts'), 'fleet', ...args], {
    env: { ...process.env, FLEET_DATABASE_URL: url, IMAGO_ENV_FILE: '/dev/null' },
    stdio: 'ignore',
  });
  return child;
}

test('members in trouble are named with their reasons, the others are worked, and a retry takes those that were corrected', async () => {
  const good = await Promise.all(['a1', 'a2', 'a3'].map((name) => open(name, { label: ['a'] })));
  const [poisoned, newer, held] = (await Promise.all(
    ['poisoned', 'newer', 'held'].map((name) => open(name, { label: ['a'] })),
  )) as [TestDatabase, TestDatabase, TestDatabase];
  const [user] = await poisoned.sql<{ id: string }[]>`select id from users order by id limit 1`;
  await poisoned.sql.unsafe(`
    create function public.no_one() returns trigger language plpgsql as $$
    begin if new.id = '${user?.id}' then raise check_violation; end if; return new; end $$;
    create trigger no_one before update on users for each row execute function public.no_one()`);
  await newer.sql`update imago.setting set value = '2' where name = 'engine_version'`;
  await held.sql`select public.throttle_migration(throttle_query => 'select true')`;
  const address = new URL(good[0]?.url ?? '');
  process.env.FLEET_TEST_WRONG = Object.assign(new URL(address), { password: 'canary-wrong-password' }).href;
  process.env.FLEET_TEST_DOWN = Object.assign(new URL(address), { port: '9' }).href;
  await addMember(fleet, 'wrong', { databaseUrlEnv: 'FLEET_TEST_WRONG', label: ['a'] });
  await addMember(fleet, 'down', { databaseUrlEnv: 'FLEET_TEST_DOWN', label: ['a'] });
  await addMember(fleet, 'secretless', { databaseUrlEnv: 'FLEET_TEST_NOWHERE', label: ['a'] });

  const rollout = await begin(fleet, { labels: ['a'], stopPercent: 100, tries: 2 });
  startWorker(fleet);
  await patiently('all have been tried', async () => {
    const { members } = await readProgress(fleet.control, rollout);
    return members.pending + members.working === 0 && members.failed === 4;
  });
  expect(await troubled(rollout)).toEqual({
    wrong: '28P01',
    down: 'NETWORK',
    secretless: 'SECRET',
    poisoned: 'SET_ASIDE',
    newer: 'ENGINE_NEWER',
    held: 'HELD',
  });
  for (const db of good) expect(await counts(db)).toEqual(whole);
  expect((await counts(newer)).moved).toBe(0);
  const told = JSON.stringify(await readProgress(fleet.control, rollout));
  expect(told).not.toContain('canary-wrong-password');
  expect(told).not.toContain(user?.id);

  // Corrected: where the secret is read, and in the databases.
  process.env.FLEET_TEST_WRONG = (await open('other')).url;
  await poisoned.sql`drop trigger no_one on users`;
  await newer.sql`update imago.setting set value = '1' where name = 'engine_version'`;
  await held.sql`select public.throttle_migration(throttle_query => '')`;
  const again = { members: ['wrong', 'poisoned', 'newer'], despite_failures: false, stop_percent: null };
  expect(await changeRollout(fleet.control, rollout, 'retry', again)).toMatchObject({ members: 3 });
  const ended = await untilState(fleet, rollout, 'failed');
  expect(ended).toMatchObject({ reason: '2 of 9 members failed', members: { succeeded: 7, skipped: 0 } });
  expect(await troubled(rollout)).toEqual({ down: 'NETWORK', secretless: 'SECRET' });
  for (const db of [poisoned, newer, held]) expect(await counts(db)).toEqual(whole);
});

describe.concurrent('a failure in the middle of a member', () => {
  test('a worker that is killed is taken over, and nobody is moved twice', async ({ onTestFinished }) => {
    const own = await freshFleet();
    onTestFinished(own.close);
    const [first, second] = await Promise.all([open('b1', {}, own), open('b2', {}, own)]);
    const letGo = await holdLast(first);
    const rollout = await begin(own, { run });
    const child = start(own, 'worker', '--as', 'victim');
    onTestFinished(() => void child.kill('SIGKILL'));
    await patiently('it has begun with the first and ended with the second', async () => {
      const { members } = await readProgress(own.control, rollout);
      return (
        members.working + members.waiting === 1 && members.succeeded === 1 && (await counts(first)).moved > 0
      );
    });
    await patiently(
      'it works on it',
      async () => (await readProgress(own.control, rollout)).members.working === 1,
    );
    child.kill('SIGKILL');
    startWorker(own, onTestFinished);
    await patiently('another has taken over', async () => {
      const [taken] = await own.control`select from imago_fleet.event where event = 'taken over'`;
      return taken !== undefined;
    });
    await letGo();
    const { entities } = await untilState(own, rollout, 'succeeded');
    for (const db of [first, second]) expect(await counts(db)).toEqual(whole);
    // What the first had not told before it was killed is counted all the same.
    expect(entities).toMatchObject({ moved: 2 * USERS, remaining: 0 });
  });

  test('the command that began it is killed: its workers give back what they have, and any other goes on', async ({
    onTestFinished,
  }) => {
    const own = await freshFleet();
    onTestFinished(own.close);
    const db = await open('f1', {}, own);
    const letGo = await holdLast(db);
    const child = start(own, 'run', '--batch-size', '5', '--workers', '1');
    onTestFinished(() => void child.kill('SIGKILL'));
    await patiently('it works on the member', async () => {
      const [begun] = await own.control<{ id: string }[]>`select id from imago_fleet.rollout`;
      if (!begun || (await counts(db)).moved === 0) return false;
      return (await readProgress(own.control, Number(begun.id))).members.working === 1;
    });
    child.kill('SIGKILL');
    const [begun] = await own.control<{ id: string }[]>`select id from imago_fleet.rollout`;
    const rollout = Number(begun?.id);
    await patiently('its worker has ended', async () => {
      const { workers, members, state } = await readProgress(own.control, rollout);
      return workers.length === 0 && members.working === 0 && state === 'running';
    });
    startWorker(own, onTestFinished);
    await letGo();
    await untilState(own, rollout, 'succeeded');
    expect(await counts(db)).toEqual(whole);
  });

  test('a control database that stops and comes back: workers wait for it and go on', async ({
    onTestFinished,
  }) => {
    const cluster = await testCluster();
    onTestFinished(cluster.remove);
    const own = await freshFleet({ on: cluster });
    onTestFinished(() => own.control.end({ timeout: 0 }));
    const first = await open('c1', {}, own);
    await open('c2', {}, own);
    const letGo = await holdLast(first);
    const rollout = await begin(own, { run });
    const { stop } = startWorker(own, onTestFinished);
    await patiently('the first is half done', async () => {
      const { members } = await readProgress(own.control, rollout);
      return members.succeeded === 1 && (await counts(first)).moved > 0;
    });
    await cluster.crash();
    await letGo();
    // Asked again and again while it is away, by us and by the worker.
    for (let i = 0; i < 3; i += 1) await expect(readProgress(own.control, rollout)).rejects.toThrow();
    await cluster.restart();
    await untilState(own, rollout, 'succeeded');
    expect(await counts(first)).toEqual(whole);
    await stop();
  });

  test('a member whose server hangs up goes on when it is back, and a worker that stops gives its members back', async ({
    onTestFinished,
  }) => {
    const own = await freshFleet();
    onTestFinished(own.close);
    const db = await open('d1', {}, own);
    const letGo = await holdLast(db);
    const rollout = await begin(own, { run });
    const first = startWorker(own, onTestFinished);
    await patiently('some are moved', async () => (await counts(db)).moved > 0);
    const admin = db.connect({ role: 'supabase_admin' });
    await admin`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = ${db.name} and application_name = 'imago fleet'`;
    await patiently(
      'it is tried again',
      async () =>
        (await troubled(rollout, own)).d1 !== undefined ||
        (await readProgress(own.control, rollout)).members.working === 1,
    );
    await first.stop();
    expect((await readProgress(own.control, rollout)).members.working).toBe(0);
    expect((await readProgress(own.control, rollout)).workers).toEqual([]);
    startWorker(own, onTestFinished);
    await letGo();
    await untilState(own, rollout, 'succeeded');
    expect(await counts(db)).toEqual(whole);
  });
});

test('an unknown plan, and a control database of another version, are refused by name', async () => {
  const own = await freshFleet();
  onTestFinished(own.close);
  await open('e1', {}, own);
  const rollout = await begin(own, { plan: 'nothing_like_it', stopPercent: 100 });
  const { stop } = startWorker(own);
  await untilState(own, rollout, 'failed');
  expect(await troubled(rollout, own)).toEqual({ e1: 'IM001' });
  await stop();
  await own.control`update imago_fleet.version set version = 99`;
  await expect(startWorker(own).stop()).rejects.toMatchObject({
    code: 'FLEET',
    hint: expect.stringContaining('Upgrade'),
  });
});
