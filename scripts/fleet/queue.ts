/** The queue of the fleet: pg-boss on connections of ours, so that TLS and URLs are read as everywhere. */
import { PgBoss } from 'pg-boss';
import type { Sql } from 'postgres';
import { largestCap } from './caps.ts';
import { type AnySql, jobsSchema } from './control.ts';

/** A job says which member to look at, and nothing else. */
export interface JobData {
  rollout: number;
  member: string;
}

export interface MemberJob {
  id: string;
  data: JobData;
}

/** The one queue. A second job of a member is refused while one is queued or worked. */
const queueName = 'member';

/** Without word of its worker for so long a job is somebody else's; pg-boss takes no less. */
const heartbeatSeconds = 10;

const queueOptions = {
  policy: 'exclusive',
  heartbeatSeconds,
  // A worker that dies is no fault of the member: how often, SQL counts.
  retryLimit: 1_000,
  retryDelay: 1,
  // Heartbeats tell of a death; a push may take long.
  expireInSeconds: 6 * 3_600,
  deleteAfterSeconds: 3_600,
} as const;

/** pg-boss caps by the tier of a job: one tier for each cap that a rollout may have. */
const tiers = Object.fromEntries(Array.from({ length: largestCap }, (_, cap) => [String(cap + 1), cap + 1]));

interface Executor {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** What pg-boss executes, on a connection or within a transaction of ours. */
function executorOn(sql: AnySql): Executor {
  return {
    async executeSql(text, values = []) {
      if (values.length === 0) return { rows: flat(await sql.unsafe(text)) };
      // The driver makes JSON of what a parameter of that type is given; pg-boss has done so already.
      const given = values.map((value, i) =>
        typeof value === 'string' && new RegExp(`\\$${i + 1}::jsonb?\\b`).test(text)
          ? JSON.parse(value)
          : (value ?? null),
      );
      return { rows: [...(await sql.unsafe(text, given as never[], { prepare: true }))] };
    },
  };
}

/** The rows of one statement, or of several. */
function flat(result: unknown): unknown[] {
  const results = result as unknown[] & { command?: string };
  return 'command' in results ? [...results] : results.flatMap((each) => [...(each as unknown[])]);
}

/** One statement after the other, so that one that fails inside of its own transaction takes no other with it. */
function oneByOne(sql: Sql): Executor {
  const executor = executorOn(sql);
  let last: Promise<unknown> = Promise.resolve();
  return {
    async executeSql(text, values) {
      const result = last.then(async () => {
        try {
          return await executor.executeSql(text, values);
        } catch (error) {
          if (!values?.length) await sql.unsafe('rollback').catch(() => {});
          throw error;
        }
      });
      last = result.catch(() => {});
      return await result;
    },
  };
}

export class Queue {
  readonly #boss: PgBoss;

  /** The connection is the queue's alone. `supervises`: gives jobs of dead workers back. */
  constructor(sql: Sql, supervises: boolean, onError: (code: string) => void) {
    this.#boss = new PgBoss({
      db: oneByOne(sql),
      schema: jobsSchema,
      schedule: false,
      supervise: supervises,
      superviseIntervalSeconds: 5,
      monitorIntervalSeconds: 5,
      // init does that.
      migrate: false,
    });
    // Its words may quote statements.
    this.#boss.on('error', (error) => onError((error as { code?: string }).code ?? error.name));
  }

  async open(): Promise<void> {
    await this.#boss.start();
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false });
  }

  /** Takes up to so many jobs. */
  async next(most: number): Promise<MemberJob[]> {
    return await this.#boss.fetch<JobData>(queueName, {
      batchSize: most,
      groupConcurrency: { default: largestCap, tiers },
    });
  }

  /** Says that these jobs are being worked. */
  async touch(ids: string[]): Promise<void> {
    await this.#boss.touch(queueName, ids);
  }

  /** Ends a job, within the transaction that notes what it came to. */
  async complete(id: string, tx: AnySql): Promise<void> {
    await this.#boss.complete(queueName, id, null, { db: executorOn(tx) });
  }

  /** Adds a job for each, within a transaction; gives those that had none. */
  async add(wanted: readonly Wanted[], tx: AnySql): Promise<Wanted[]> {
    const jobs = wanted.map((one) => ({ id: crypto.randomUUID(), one }));
    const ids = await this.#boss.insert(
      queueName,
      jobs.map(({ id, one: { rollout, member, server, cap, delayMs } }) => ({
        id,
        data: { rollout, member } satisfies JobData,
        singletonKey: member,
        // By the clock of the control database, to a tenth of a second.
        startAfter: String(Math.ceil(delayMs / 100) / 10),
        ...(cap !== null && { group: { id: server, tier: String(cap) } }),
      })),
      { db: executorOn(tx), returnId: true },
    );
    const added = new Set(ids);
    return jobs.filter(({ id }) => added.has(id)).map(({ one }) => one);
  }
}

/** A member that wants a job. */
export interface Wanted {
  rollout: number;
  member: string;
  server: string;
  cap: number | null;
  delayMs: number;
}

/** Makes the schema of pg-boss and the queue, or brings them to this version. */
export async function installQueue(sql: Sql): Promise<void> {
  const boss = new PgBoss({ db: oneByOne(sql), schema: jobsSchema, schedule: false, supervise: false });
  let failed: Error | undefined;
  boss.on('error', (error) => {
    failed = error;
  });
  await boss.start();
  try {
    const { policy, ...changeable } = queueOptions;
    await boss.createQueue(queueName, { policy, ...changeable });
    await boss.updateQueue(queueName, changeable);
  } finally {
    await boss.stop({ graceful: false });
  }
  if (failed) throw failed;
}
