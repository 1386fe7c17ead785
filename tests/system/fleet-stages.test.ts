/** Workers killed in each stage; members that fail or are slow; a clock that jumps. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { changeRollout, readProgress } from '../../scripts/fleet/rollout.ts';
import { packageFolder } from '../../scripts/package.ts';
import { prepareAll } from '../support/avatars.ts';
import type { TestDatabase } from '../support/database.ts';
import {
  addDatabase,
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
const processes: ChildProcess[] = [];

afterEach(async () => {
  for (const child of processes.splice(0)) child.kill('SIGKILL');
  await fleet.close();
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const open = async (name: string) => {
  const db = await addDatabase(fleet, name);
  databases.push(db);
  return db;
};

/** A worker as a process of its own, which can be killed. */
function workerProcess(): ChildProcess {
  const child = spawn(process.execPath, [path.join(packageFolder, 'scripts/imago.ts'), 'fleet', 'worker'], {
    env: { ...process.env, FLEET_DATABASE_URL: fleet.url, IMAGO_ENV_FILE: '/dev/null' },
    stdio: 'ignore',
  });
  processes.push(child);
  return child;
}

/** Runs a statement in a transaction that stays open until it is let go. */
async function hold(db: TestDatabase, statement: string): Promise<() => Promise<void>> {
  const session = await db.connect().reserve();
  await session.unsafe(`begin; ${statement}`);
  return async () => {
    await session`commit`;
    session.release();
  };
}

const lastUser = `select from users where id = (select id from users order by id desc limit 1) for update`;

/** Kills a worker once it has both in hand, as far as they can come; lets them go, and has another one do the rest. */
async function killedAndTakenOver(rollout: number, moved: number, letGo: (() => Promise<void>)[]) {
  const worker = workerProcess();
  await patiently('it has both in hand, and moved what it could', async () => {
    const rows = await fleet.control<{ state: string; moved: number }[]>`
      select state, moved::int from imago_fleet.rollout_member where rollout = ${rollout}`;
    return rows.every(({ state }) => state !== 'pending') && rows.some((row) => row.moved >= moved);
  });
  worker.kill('SIGKILL');
  await Promise.all(letGo.map((go) => go()));
  const { stop } = startWorker(fleet);
  expect(await untilState(fleet, rollout, 'succeeded', 'failed', 'stopped')).toMatchObject({
    state: 'succeeded',
    members: { succeeded: 2 },
  });
  await stop();
}

test('a worker killed while it prepares one member and moves another, and while it takes them back', async () => {
  fleet = await freshFleet();
  const [preparing, moving] = [await open('preparing'), await open('moving')];
  await prepareAll(moving.sql);
  // What prepare adds to the table waits for writers of it.
  const held = [
    await hold(preparing, 'lock table users in row exclusive mode'),
    await hold(moving, lastUser),
  ];
  await killedAndTakenOver(await begin(fleet, { run: { batch_size: 5 } }), 1, held);
  for (const db of [preparing, moving]) expect(await counts(db)).toEqual(whole);

  const heldBack = await Promise.all([preparing, moving].map((db) => hold(db, lastUser)));
  await killedAndTakenOver(await begin(fleet, { kind: 'rollback' }), 0, heldBack);
  for (const db of [preparing, moving]) expect(await counts(db)).toMatchObject({ moved: 0, avatars: 0 });
});

test('one in twenty that fails stops nobody below the budget, and is all that a retry does again', async () => {
  fleet = await freshFleet();
  const members = await Promise.all(Array.from({ length: 20 }, (_, i) => open(`m${i}`)));
  const [bad, ...good] = members as [TestDatabase, ...TestDatabase[]];
  await bad.sql.unsafe(`
    create function public.no_one() returns trigger language plpgsql as $$ begin raise check_violation; end $$;
    create trigger no_one before update on users for each row execute function public.no_one()`);
  const rollout = await begin(fleet, { waves: ['50%', '100%'], stopPercent: 5 });
  startWorker(fleet);
  const first = await untilState(fleet, rollout, 'succeeded', 'failed', 'stopped');
  // Its wave may be the first, whose gate stops then, or the last, which ends with a failure.
  expect(first).toMatchObject({ members: { failed: 1 } });
  await bad.sql`drop trigger no_one on users`;
  const choice = { members: [], despite_failures: false, stop_percent: null };
  expect(await changeRollout(fleet.control, rollout, 'retry', choice)).toMatchObject({ members: 1 });
  const last = await untilState(fleet, rollout, 'succeeded', 'stopped');
  expect(last).toMatchObject({ state: 'succeeded', members: { succeeded: 20, failed: 0 } });
  expect(last.entities.moved).toBe(20 * USERS);
  for (const db of [bad, ...good]) expect(await counts(db)).toEqual(whole);
  expect((await readProgress(fleet.control, rollout)).troubled).toEqual([]);
});

test('a slow member keeps one place of its worker, and is named; the others are done meanwhile', async () => {
  fleet = await freshFleet();
  const slow = await open('slow');
  const others = await Promise.all(['a', 'b', 'c', 'd'].map(open));
  await slow.sql.unsafe(`
    create table public.gate (shut boolean);
    insert into public.gate values (true);
    create function public.slowly() returns trigger language plpgsql as $$ begin
      while exists (select from public.gate) and statement_timestamp() > clock_timestamp() - interval '1 s' loop
        perform pg_sleep(0.02);
      end loop;
      return new; end $$;
    create trigger slowly before update on users for each row execute function public.slowly()`);
  const rollout = await begin(fleet, { run: { max_ms: 1, batch_size: 1 } });
  startWorker(fleet);
  await patiently('the others are done', async () => {
    const { members } = await readProgress(fleet.control, rollout);
    return members.succeeded === others.length;
  });
  const now = await readProgress(fleet.control, rollout);
  expect(now).toMatchObject({ state: 'running', members: { failed: 0 } });
  expect(now.slowest.map(({ member }) => member)).toEqual(['slow']);
  await slow.sql`delete from public.gate`;
  await untilState(fleet, rollout, 'succeeded');
  for (const db of [slow, ...others]) expect(await counts(db)).toEqual(whole);
});

/** As if the clock of the control database jumped: what it has written down is moved the other way. */
async function jump(by: string): Promise<void> {
  const moments = await fleet.control<{ relation: string; names: string[] }[]>`
    select c.oid::regclass::text as relation, array_agg(quote_ident(a.attname)) as names
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace in ('imago_fleet'::regnamespace, 'imago_fleet_jobs'::regnamespace)
      and c.relkind in ('r', 'p') and not c.relispartition
      and a.atttypid = 'timestamptz'::regtype and a.attnum > 0 and not a.attisdropped
    group by c.oid`;
  await fleet.control.begin(async (tx) => {
    for (const { relation, names } of moments) {
      await tx.unsafe(
        `update ${relation} set ${names.map((name) => `${name} = ${name} - interval '${by}'`).join(', ')}`,
      );
    }
  });
}

test.each(['1 hour', '-1 hour'])(
  'the clock of the control database jumps by %s: who waits has their turn, the dead are missed, nothing is done twice',
  async (by) => {
    fleet = await freshFleet();
    const [held, fine] = [await open('held'), await open('fine')];
    const late = await open('late');
    const { FLEET_TEST_LATE: place = '' } = process.env;
    delete process.env.FLEET_TEST_LATE;
    const letGo = await hold(held, lastUser);
    const rollout = await begin(fleet, { tries: 30, run: { max_ms: 1 } });
    const dying = workerProcess();
    await patiently('one is done, one is being worked, one waits for its secret', async () => {
      const { members } = await readProgress(fleet.control, rollout);
      return members.succeeded === 1 && members.working === 1 && members.waiting === 1;
    });
    dying.kill('SIGKILL');
    await jump(by);
    process.env.FLEET_TEST_LATE = place;
    startWorker(fleet);
    await letGo();
    const { entities } = await untilState(fleet, rollout, 'succeeded', 'failed', 'stopped');
    expect(entities).toMatchObject({ moved: 3 * USERS, remaining: 0 });
    for (const db of [held, fine, late]) expect(await counts(db)).toEqual(whole);
  },
);
