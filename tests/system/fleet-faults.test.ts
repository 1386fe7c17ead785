/** Members, workers and control databases that fail, on real databases: nothing twice, nothing lost. */
import { spawn } from 'node:child_process';
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
  startWorker,
  USERS,
  untilState,
} from '../support/fleet.ts';
import { until } from '../support/until.ts';

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
  // A step that adds a column would wait for whoever holds a row.
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

test('members in trouble are named with their reasons, the others are worked, and a retry takes those that were corrected', async () => {
  const good = await Promise.all(['a1', 'a2', 'a3'].map((name) => open(name, { label: ['a'] })));
  const [poisoned, newer, held] = (await Promise.all(
    ['poisoned', 'newer', 'held'].map((name) => open(name, { label: ['a'] })),
  )) as [TestDatabase, TestDatabase, TestDatabase];
  const [user] = await poisoned.sql<{ id: string }[]>`select id from users order by id limit 1`;
  await poisoned.sql
    .unsafe(`alter table users add constraint no_one check (id <> '${user?.id}' or active_avatar_id is null)`)
    .catch(async () => {
      await poisoned.sql.unsafe(`create function public.no_one() returns trigger language plpgsql as $$
      begin if new.id = '${user?.id}' then raise check_violation; end if; return new; end $$;
      create trigger no_one before update on users for each row execute function public.no_one()`);
    });
  await newer.sql`update imago.setting set value = '2' where name = 'engine_version'`;
  await held.sql`select public.throttle_migration(hours => '03:00-03:01')`;
  const address = new URL(good[0]?.url ?? '');
  process.env.FLEET_TEST_WRONG = Object.assign(new URL(address), { password: 'canary-wrong-password' }).href;
  process.env.FLEET_TEST_DOWN = Object.assign(new URL(address), { port: '9' }).href;
  await addMember(fleet, 'wrong', { databaseUrlEnv: 'FLEET_TEST_WRONG', label: ['a'] });
  await addMember(fleet, 'down', { databaseUrlEnv: 'FLEET_TEST_DOWN', label: ['a'] });
  await addMember(fleet, 'secretless', { databaseUrlEnv: 'FLEET_TEST_NOWHERE', label: ['a'] });

  const rollout = await begin(fleet, { labels: ['a'], stopPercent: 100, tries: 2 });
  startWorker(fleet);
  await until('all have been tried', async () => {
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
  await poisoned.sql.unsafe(
    'drop trigger if exists no_one on users; alter table users drop constraint if exists no_one',
  );
  await newer.sql`update imago.setting set value = '1' where name = 'engine_version'`;
  await held.sql`select public.throttle_migration(hours => '')`;
  await fleet.control`update imago_fleet.rollout_member set tries = 0 where member = 'held'`;
  await changeRollout(fleet.control, rollout, 'retry', {
    members: ['wrong', 'poisoned', 'newer'],
    despite_failures: false,
    stop_percent: null,
  });
  await until('those are done', async () => {
    const { members } = await readProgress(fleet.control, rollout);
    return members.failed === 2 && members.skipped === 0 && members.pending + members.working === 0;
  });
  expect(await counts(poisoned)).toEqual(whole);
  expect(await counts(newer)).toEqual(whole);
  await changeRollout(fleet.control, rollout, 'cancel', {
    members: [],
    despite_failures: false,
    stop_percent: null,
  });
});

describe.concurrent('a failure in the middle of a member', () => {
  test('a worker that is killed is taken over, and nobody is moved twice', async ({ onTestFinished }) => {
    const own = await freshFleet();
    onTestFinished(own.close);
    const [first, second] = await Promise.all([open('b1', {}, own), open('b2', {}, own)]);
    const letGo = await holdLast(first);
    const rollout = await begin(own, { run });
    const child = spawn(
      process.execPath,
      [path.join(packageFolder, 'scripts/imago.ts'), 'fleet', 'worker', '--as', 'victim'],
      {
        env: { ...process.env, FLEET_DATABASE_URL: own.url, IMAGO_ENV_FILE: '/dev/null' },
        stdio: 'ignore',
      },
    );
    await until('it has begun with the first and ended with the second', async () => {
      const { members } = await readProgress(own.control, rollout);
      return (
        members.working + members.waiting === 1 && members.succeeded === 1 && (await counts(first)).moved > 0
      );
    });
    await until(
      'it works on it',
      async () => (await readProgress(own.control, rollout)).members.working === 1,
    );
    child.kill('SIGKILL');
    startWorker(own, onTestFinished);
    await until('another has taken over', async () => {
      const [taken] = await own.control`select from imago_fleet.event where event = 'taken over'`;
      return taken !== undefined;
    });
    await letGo();
    await untilState(own, rollout, 'succeeded');
    for (const db of [first, second]) expect(await counts(db)).toEqual(whole);
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
    await until('the first is half done', async () => {
      const { members } = await readProgress(own.control, rollout);
      return members.succeeded === 1 && (await counts(first)).moved > 0;
    });
    await cluster.crash();
    await letGo();
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
    await until('some are moved', async () => (await counts(db)).moved > 0);
    const admin = db.connect({ role: 'supabase_admin' });
    await admin`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = ${db.name} and application_name = 'imago fleet'`;
    await until(
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
