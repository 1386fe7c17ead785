/** What the control database decides about a rollout: waves, gates, budgets, caps, takers. No member is reached here. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type AnySql, expectFleet, knownFleet, openControl } from '../../scripts/fleet/control.ts';
import { changeRollout, readProgress, startRollout } from '../../scripts/fleet/rollout.ts';
import { installFleet } from '../../scripts/fleet/schema.ts';
import { addMember, begin, type Fleet, freshFleet, wish } from '../support/fleet.ts';
import { pidOf, until } from '../support/until.ts';

let fleet: Fleet;
let count = 0;
/** A plan of its own for each test: one rollout of a plan is open at a time. */
const plan = () => `plan_${++count}`;
const worker = crypto.randomUUID();
const other = crypto.randomUUID();

beforeAll(async () => {
  fleet = await freshFleet();
  for (let i = 1; i <= 10; i += 1) {
    const name = `m${String(i).padStart(2, '0')}`;
    await addMember(fleet, name, {
      server: `server ${i % 2}`,
      ...(i <= 2 && { wave: 'canary', label: ['eu'] }),
    });
  }
  await beat(worker);
  await beat(other);
});
afterAll(() => fleet.close());

const beat = (id: string) => fleet.control`select imago_fleet.beat(${id}, 'a test', 4)`;

interface Answer {
  go: boolean;
  attempt: number;
  retry_after_ms?: number;
}

async function take(rollout: number, member: string, by = worker): Promise<Answer> {
  const [row] = await fleet.control<{ answer: Answer }[]>`
    select imago_fleet.take(${rollout}, ${member}, ${by}) as answer`;
  return row?.answer as Answer;
}

async function settle(
  rollout: number,
  member: string,
  attempt: number,
  outcome: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const [row] = await fleet.control<{ answer: Record<string, unknown> }[]>`
    select imago_fleet.settle(${rollout}, ${member}, ${attempt}, ${fleet.control.json(outcome as never)}) as answer`;
  return row?.answer ?? {};
}

/** Has a member end so. */
async function end(rollout: number, member: string, state: string): Promise<void> {
  const { attempt } = await take(rollout, member);
  await settle(rollout, member, attempt, { state, moved: 20, remaining: 0 });
}

const advance = async (rollout: number) =>
  (await fleet.control<{ state: string }[]>`select imago_fleet.advance(${rollout}) as state`)[0]?.state;

const membersOf = async (rollout: number, wave: number) =>
  (
    await fleet.control<{ member: string }[]>`
      select member from imago_fleet.rollout_member where rollout = ${rollout} and wave = ${wave} order by member`
  ).map(({ member }) => member);

describe('waves', () => {
  test('named ones, then shares of all, each member once; init may be repeated meanwhile', async () => {
    const rollout = await begin(fleet, { plan: plan(), waves: ['canary', '50%', '100%'] });
    const waves = await Promise.all([1, 2, 3].map((wave) => membersOf(rollout, wave)));
    expect(waves[0]).toEqual(['m01', 'm02']);
    // Of ten, five are a half: the two of the canary count.
    expect(waves.map((names) => names.length)).toEqual([2, 3, 5]);
    expect(new Set(waves.flat()).size).toBe(10);
    // As version 1 made it.
    await fleet.control.unsafe(`
      alter table imago_fleet.version drop column ticked_at;
      alter table imago_fleet.rollout_member drop column first_run;
      update imago_fleet.version set version = 1`);
    await expect(expectFleet(fleet.control)).rejects.toMatchObject({ hint: 'Make it: imago fleet init' });
    const again = { version: knownFleet, wasThere: true };
    expect([await installFleet(fleet.control), await installFleet(fleet.control)]).toEqual([again, again]);
    expect((await readProgress(fleet.control, rollout)).members).toMatchObject({ all: 10, pending: 10 });
    await fleet.control`select imago_fleet.follow_clock()`;
  });

  test.each([
    [{ waves: ['nobody', '100%'] }, 'FL005'],
    [{ members: ['m01', 'm99'] }, 'FL004'],
    [{ labels: ['nowhere'] }, 'FL004'],
  ])('%j is refused, and nothing is begun', async (given, code) => {
    const name = plan();
    await expect(begin(fleet, { plan: name, ...given })).rejects.toMatchObject({ code });
    expect(await fleet.control`select from imago_fleet.rollout where plan = ${name}`).toHaveLength(0);
  });

  test('the next one waits for the gate; a failure there stops, and a retry that succeeds passes it', async () => {
    const rollout = await begin(fleet, { plan: plan(), waves: ['canary', '100%'], stopPercent: 50 });
    expect(await take(rollout, 'm05')).toEqual({ go: false });
    await end(rollout, 'm01', 'succeeded');
    expect(await advance(rollout)).toBe('running');
    await end(rollout, 'm02', 'failed');
    expect(await advance(rollout)).toBe('stopped');
    const resume = (given = {}) =>
      changeRollout(fleet.control, rollout, 'resume', {
        members: [],
        despite_failures: false,
        stop_percent: null,
        ...given,
      });
    await expect(resume()).rejects.toMatchObject({
      code: 'FL006',
      hint: expect.stringContaining('--despite-failures'),
    });
    expect(
      await changeRollout(fleet.control, rollout, 'retry', {
        members: [],
        despite_failures: false,
        stop_percent: null,
      }),
    ).toMatchObject({ state: 'running', members: 1 });
    await end(rollout, 'm02', 'failed');
    expect(await advance(rollout)).toBe('stopped');
    await resume({ despite_failures: true });
    expect(await advance(rollout)).toBe('running');
    expect((await readProgress(fleet.control, rollout)).waves.map(({ state }) => state)).toEqual([
      'passed',
      'running',
    ]);
    expect(await take(rollout, 'm05')).toMatchObject({ go: true });
  });

  test('a soak by the clock of the control database, then the checks once more', async () => {
    const rollout = await begin(fleet, { plan: plan(), waves: ['canary', '100%'], soakSeconds: 600 });
    for (const name of ['m01', 'm02']) await end(rollout, name, 'succeeded');
    expect(await advance(rollout)).toBe('running');
    expect((await readProgress(fleet.control, rollout)).waves[0]?.state).toBe('soaking');
    await fleet.control`
      update imago_fleet.wave set worked_at = worked_at - interval '11 minutes' where rollout = ${rollout} and number = 1`;
    await advance(rollout);
    expect((await readProgress(fleet.control, rollout)).waves[0]?.state).toBe('checking');
    expect(await take(rollout, 'm01')).toMatchObject({ go: true, task: 'check' });
    await settle(rollout, 'm01', 2, { state: 'succeeded' });
    await end(rollout, 'm02', 'succeeded');
    await advance(rollout);
    expect((await readProgress(fleet.control, rollout)).waves.map(({ state }) => state)).toEqual([
      'passed',
      'running',
    ]);
  });
});

describe('the budget', () => {
  test('stops in the middle of a wave, and members that are being worked end as they do', async () => {
    const rollout = await begin(fleet, { plan: plan(), stopPercent: 10 });
    const busy = await take(rollout, 'm09');
    await end(rollout, 'm01', 'failed');
    expect(await advance(rollout)).toBe('running');
    await end(rollout, 'm02', 'failed');
    expect(await advance(rollout)).toBe('stopped');
    expect(await take(rollout, 'm03')).toEqual({ go: false });
    expect(await settle(rollout, 'm09', busy.attempt, { state: 'pending', moved: 5 })).toMatchObject({
      mine: true,
      again: false,
    });
    const progress = await readProgress(fleet.control, rollout);
    expect(progress).toMatchObject({ state: 'stopped', code: 'budget', members: { failed: 2, pending: 8 } });
    await expect(
      changeRollout(fleet.control, rollout, 'resume', {
        members: [],
        despite_failures: false,
        stop_percent: null,
      }),
    ).rejects.toMatchObject({ code: 'FL006' });
    const more = { members: [], despite_failures: false, stop_percent: 30 };
    expect(await changeRollout(fleet.control, rollout, 'resume', more)).toMatchObject({ state: 'running' });
    expect(await advance(rollout)).toBe('running');
  });

  test('skipped members are no failures; failed ones are told at the end, where nothing is left to be stopped', async () => {
    const rollout = await begin(fleet, { plan: plan(), members: ['m01', 'm02', 'm03'], stopPercent: 10 });
    for (const [name, state] of [
      ['m01', 'skipped'],
      ['m02', 'failed'],
      ['m03', 'succeeded'],
    ] as const)
      await end(rollout, name, state);
    expect(await advance(rollout)).toBe('failed');
    expect(await readProgress(fleet.control, rollout)).toMatchObject({
      reason: '1 of 3 members failed',
      waves: [{ state: 'failed' }],
      members: { skipped: 1 },
    });
  });
});

describe('who takes a member', () => {
  test('what an earlier taker says is not believed, and a member over which five workers died is given up', async () => {
    const rollout = await begin(fleet, { plan: plan(), members: ['m01'] });
    const first = await take(rollout, 'm01');
    const second = await take(rollout, 'm01', other);
    expect(await settle(rollout, 'm01', first.attempt, { state: 'succeeded' })).toEqual({ mine: false });
    expect(await settle(rollout, 'm01', second.attempt, { state: 'pending', moved: 7 })).toMatchObject({
      again: true,
    });
    for (let i = 0; i < 5; i += 1) expect(await take(rollout, 'm01')).toMatchObject({ go: true });
    expect(await take(rollout, 'm01')).toEqual({ go: false });
    expect((await readProgress(fleet.control, rollout)).troubled).toMatchObject([
      { member: 'm01', code: 'WORKER_LOST' },
    ]);
  });

  test('a server has room for as many as its cap says, and dead workers take none of it', async () => {
    // What other tests have left counts as well: the cap is of the server, whatever is done there.
    await fleet.control`update imago_fleet.rollout_member set state = 'pending' where state = 'working'`;
    const rollout = await begin(fleet, { plan: plan(), perServer: 2 });
    const all = await Promise.all(['m01', 'm03', 'm05', 'm02'].map((name) => take(rollout, name)));
    expect(all.map(({ go }) => go)).toEqual([true, true, false, true]);
    expect(all[2]?.retry_after_ms).toBeGreaterThan(0);
    await fleet.control`update imago_fleet.worker set seen_at = seen_at - interval '1 minute' where id = ${worker}`;
    expect(await take(rollout, 'm05', other)).toMatchObject({ go: true });
    await beat(worker);
  });

  test('tries in a row are counted, wait longer and longer, and begin again once something moved', async () => {
    const rollout = await begin(fleet, { plan: plan(), members: ['m01'], tries: 3 });
    const down = { state: 'waiting', is_failure: true, code: 'NETWORK' };
    const turn = async (outcome: Record<string, unknown>) =>
      await settle(rollout, 'm01', (await take(rollout, 'm01')).attempt, outcome);
    expect(await turn(down)).toMatchObject({ state: 'waiting', retry_after_ms: 1000 });
    expect(await turn(down)).toMatchObject({ state: 'waiting', retry_after_ms: 2000 });
    expect(await turn({ ...down, moved: 5 })).toMatchObject({ state: 'waiting', retry_after_ms: 1000 });
    await turn(down);
    await turn(down);
    expect(await turn(down)).toMatchObject({ state: 'failed', again: false });
  });
});

describe('a rollout of a plan', () => {
  test('is begun once by two at the same time, joined with the same options and refused with others', async () => {
    const given = wish({ plan: plan() });
    const both = await Promise.all([startRollout(fleet.control, given), startRollout(fleet.control, given)]);
    expect(new Set(both.map(({ rollout }) => rollout)).size).toBe(1);
    expect(both.map(({ joined }) => joined).sort()).toEqual([false, true]);
    await expect(begin(fleet, { ...given, perServer: 3 })).rejects.toMatchObject({ code: 'FL002' });
    await expect(begin(fleet, { ...given, kind: 'rollback' })).rejects.toMatchObject({ code: 'FL002' });
  });

  test('rests, goes on, is cancelled; what its state does not allow is refused; a rollback takes the place of one that rests', async () => {
    const name = plan();
    const rollout = await begin(fleet, { plan: name, members: ['m01', 'm02'] });
    const change = (action: string) =>
      changeRollout(fleet.control, rollout, action, {
        members: [],
        despite_failures: false,
        stop_percent: null,
      });
    const busy = await take(rollout, 'm01');
    expect(await change('pause')).toMatchObject({ state: 'paused' });
    const [told] = await fleet.control<{ on: boolean }[]>`
      select imago_fleet.report(${rollout}, 'm01', ${busy.attempt}, '{"moved": 3}') as on`;
    expect(told?.on).toBe(false);
    await expect(change('pause')).rejects.toMatchObject({ code: 'FL003' });
    await change('resume');
    expect((await readProgress(fleet.control, rollout)).entities.moved).toBe(3);
    await change('pause');
    const back = await begin(fleet, { plan: name, kind: 'rollback', members: ['m01', 'm02'] });
    expect(back).not.toBe(rollout);
    expect((await readProgress(fleet.control, rollout)).state).toBe('cancelled');
    await expect(change('resume')).rejects.toMatchObject({ code: 'FL003' });
  });

  test('queues members whose turn it is, and again those of which nobody has heard for a minute', async () => {
    const rollout = await begin(fleet, { plan: plan(), waves: ['canary', '100%'] });
    const due = async () =>
      (
        await fleet.control<{ member: string }[]>`
        select member from imago_fleet.due(100) where rollout = ${rollout} order by member`
      ).map(({ member }) => member);
    expect(await due()).toEqual(['m01', 'm02']);
    await fleet.control`select imago_fleet.queued(${rollout}, ${['m01', 'm02']})`;
    expect(await due()).toEqual([]);
    await fleet.control`
      update imago_fleet.rollout_member set queued_at = queued_at - interval '2 minutes' where rollout = ${rollout} and member = 'm02'`;
    expect(await due()).toEqual(['m02']);
  });
});

describe('work', () => {
  test('a worker hears of what was begun, retried or queued, also on a connection that replaces a lost one', async () => {
    let calls: (() => void)[] = [];
    const heard = () => new Promise<void>((resolve) => calls.push(resolve));
    const listening = openControl(
      fleet.url,
      () => {},
      () => {
        for (const call of calls) call();
        calls = [];
      },
    );
    onTestFinished(() => listening.end({ timeout: 0 }));
    const beatThere = () => listening`select imago_fleet.beat(${other}, 'a test', 4)`;
    await beatThere();
    const begun = heard();
    const rollout = await begin(fleet, { plan: plan(), waves: ['canary', '100%'] });
    await begun;
    const queued = heard();
    await fleet.control`select imago_fleet.queued(${rollout}, ${['m01']})`;
    await queued;
    const pid = await pidOf(listening);
    await fleet.control`select pg_terminate_backend(${pid})`;
    await until('it has another connection', async () => {
      const beaten = await beatThere().catch(() => undefined);
      return beaten !== undefined && (await pidOf(listening)) !== pid;
    });
    const changed = heard();
    await changeRollout(fleet.control, rollout, 'cancel', {
      members: [],
      despite_failures: false,
      stop_percent: null,
    });
    await changed;
  });

  test('one worker at a time decides what is due; it says whether a rollout is open', async () => {
    type Tick = { is_open?: boolean; due?: { rollout: number; member: string }[] };
    const tick = async (sql: AnySql = fleet.control) =>
      (await sql<{ answer: Tick }[]>`select imago_fleet.tick(100) as answer`)[0]?.answer;
    await fleet.control`update imago_fleet.rollout set state = 'cancelled', ended_at = now()`;
    expect(await tick()).toEqual({ is_open: false, due: [] });
    const rollout = await begin(fleet, { plan: plan(), waves: ['canary', '100%'] });
    const second = openControl(fleet.url, () => {});
    onTestFinished(() => second.end({ timeout: 0 }));
    await fleet.control.begin(async (tx) => {
      expect((await tick(tx))?.due).toMatchObject([
        { rollout, member: expect.stringMatching(/^m0[12]$/), cap: null, delay_ms: 0 },
        { rollout, member: expect.stringMatching(/^m0[12]$/) },
      ]);
      expect(await tick(second)).toEqual({});
    });
    expect(await tick(second)).toMatchObject({ is_open: true });
  });
});

test('nobody but its owner may use the schemas', async () => {
  const rights = await fleet.control<{ name: string; open: boolean; rls: boolean | null }[]>`
    select n.nspname as name, has_schema_privilege('anon', n.oid, 'usage') or has_schema_privilege('service_role', n.oid, 'usage') as open,
      (select bool_and(c.relrowsecurity) from pg_class c where c.relnamespace = n.oid and c.relkind = 'r') as rls
    from pg_namespace n where n.nspname like 'imago_fleet%' order by 1`;
  expect(rights).toMatchObject([
    { name: 'imago_fleet', open: false, rls: true },
    { name: 'imago_fleet_jobs', open: false },
  ]);
  const missing = await fleet.control`
    select c.oid::regclass from pg_class c
    where c.relnamespace = 'imago_fleet'::regnamespace and c.relkind = 'r' and obj_description(c.oid, 'pg_class') is null`;
  expect(missing).toHaveLength(0);
});
