/**
 * What the control database of a fleet bears: so many connections at once take a job from pg-boss, take its member, note what it
 * came to, end the job and make the next one, as a worker does for each piece of work, with no member behind it.
 */
import type { Sql } from 'postgres';
import { openControl } from '../scripts/fleet/control.ts';
import { addMembers } from '../scripts/fleet/members.ts';
import { newMember } from '../scripts/fleet/new-member.ts';
import { type MemberJob, Queue } from '../scripts/fleet/queue.ts';
import { startRollout } from '../scripts/fleet/rollout.ts';
import { installFleet } from '../scripts/fleet/schema.ts';
import { wishOf } from '../scripts/fleet/wish.ts';
import { dropDatabase, type Server } from './server.ts';

export interface Capacity {
  connections: number;
  seconds: number;
  jobs: number;
  /** Of the whole database, as it counts them itself. */
  transactionsPerSecond: number;
  /** Of a job, from asking for it to having made the next one: the middle, and that of which 95 % stay below. */
  jobMs: { p50: number; p95: number };
}

/** One line for each number of connections. */
export async function controlCapacity(
  server: Server,
  connections: readonly number[],
  seconds: number,
): Promise<Capacity[]> {
  const database = 'control_load';
  await server.admin.unsafe(`create database ${database} owner postgres template postgres`);
  const url = server.cluster.url('postgres', database);
  const control = openControl(url, () => {});
  try {
    await installFleet(control);
    const names = Array.from({ length: 4 * Math.max(...connections) }, (_, i) => `none_${i}`);
    await addMembers(
      control,
      names.map((name) => newMember(name, { databaseUrlEnv: 'NOT_SET' })),
      true,
    );
    await startRollout(control, wishOf('migrate', 'avatars', { stopPercent: 100 }));
    await queueAll(control, url);
    const lines: Capacity[] = [];
    for (const count of connections) lines.push(await load(server, database, url, count, seconds));
    return lines;
  } finally {
    await control.end();
    await dropDatabase(server, database);
  }
}

async function queueAll(control: Sql, url: string): Promise<void> {
  const jobs = openControl(url, () => {});
  const queue = new Queue(jobs, false, () => {});
  await queue.open();
  const due = await control<{ rollout: string; member: string }[]>`
    select rollout, member from imago_fleet.due(100000)`;
  const wanted = due.map(({ rollout, member }) => jobOf({ rollout: Number(rollout), member }));
  await control.begin(async (tx) => void (await queue.add(wanted, tx)));
  await queue.close();
  await jobs.end();
}

const jobOf = (data: MemberJob['data']) => ({ ...data, server: data.member, cap: null, delayMs: 0 });

async function load(
  server: Server,
  database: string,
  url: string,
  connections: number,
  seconds: number,
): Promise<Capacity> {
  const hands = await Promise.all(
    Array.from({ length: connections }, async () => {
      const [control, jobs] = [openControl(url, () => {}), openControl(url, () => {})];
      const queue = new Queue(jobs, false, () => {});
      await queue.open();
      const id = crypto.randomUUID();
      await control`select imago_fleet.beat(${id}, 'load', 1)`;
      return { control, jobs, queue, id };
    }),
  );
  const took: number[] = [];
  const before = await transactions(server.admin, database);
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  await Promise.all(
    hands.map(async ({ control, queue, id }) => {
      while (performance.now() < endAt) {
        const at = performance.now();
        const [job] = await queue.next(1);
        if (!job) continue;
        await piece(control, queue, id, job);
        took.push(performance.now() - at);
      }
    }),
  );
  const lasted = (performance.now() - startedAt) / 1000;
  for (const { control, jobs, queue } of hands) {
    await queue.close();
    await Promise.all([control.end(), jobs.end()]);
  }
  const after = await transactions(server.admin, database);
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.floor(share * (took.length - 1))] ?? 0;
  return {
    connections,
    seconds: lasted,
    jobs: took.length,
    transactionsPerSecond: (after - before) / lasted,
    jobMs: { p50: at(0.5), p95: at(0.95) },
  };
}

/** A piece of work that comes to nothing yet, so that the member is queued again. */
async function piece(control: Sql, queue: Queue, id: string, { id: jobId, data }: MemberJob): Promise<void> {
  const [row] = await control<{ answer: { attempt?: number } }[]>`
    select imago_fleet.take(${data.rollout}, ${data.member}, ${id}) as answer`;
  const outcome = control.json({ state: 'pending', moved: 0, worked_ms: 0 });
  await control.begin(async (tx) => {
    await tx`select imago_fleet.settle(${data.rollout}, ${data.member}, ${row?.answer.attempt ?? 0}, ${outcome})`;
    await queue.complete(jobId, tx);
    await queue.add([jobOf(data)], tx);
  });
}

/** Transactions of a database so far. Sessions tell theirs when they end, or about a second after the last statement. */
export async function transactions(admin: Sql, database: string): Promise<number> {
  const [row] = await admin<{ sum: string }[]>`
    select xact_commit + xact_rollback as sum from pg_stat_database where datname = ${database}`;
  return Number(row?.sum ?? 0);
}
