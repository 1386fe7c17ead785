/** The work of each method, as the process of its own in which it is measured: `node bench/work.ts '{…}'`. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import postgres, { type Sql } from 'postgres';
import { z } from 'zod';
import { connect } from '../scripts/client.ts';
import { peakMemory } from './memory.ts';

export const orderSchema = z.object({
  method: z.enum(['a', 'b', 'c', 'd', 'f', 'g', 'h', 'i', 'j', 'k', 'p', 'r']),
  users: z.number(),
  connections: z.number(),
  /** Without it, all in one turn. */
  turnMs: z.number().optional(),
  databaseUrl: z.string(),
  /** False behind a pooler that hands each transaction to another session. */
  prepare: z.boolean().default(true),
  api: z.object({ url: z.string(), secretKey: z.string() }).optional(),
});

export type Order = z.output<typeof orderSchema>;

/** What the process says when it is ready, and after each turn. */
export const stateSchema = z.object({ moved: z.number(), ended: z.boolean(), clientBytes: z.number() });

export type State = z.output<typeof stateSchema>;

/** The work of one connection, piece by piece: how many users are done after each. */
type Pieces = AsyncGenerator<number, void>;

/** Rows a page in the methods that go by pages. */
const pageSize = 1000;

/** Users a call where they are gone through one by one, as the guide has it. */
const guideSize = 100;

/** Nobody else is on the database, so a session that waits longer than this waits for ever. */
const patienceMs = 60_000;

const answerSchema = z.object({
  status: z.string(),
  has_more: z.boolean(),
  migrated: z.number().default(0),
  rolled_back: z.number().default(0),
  failed: z.number(),
  checking: z.number().nullish(),
  retry_after_ms: z.number(),
});

type Work = (sql: Sql, order: Order, run: Run) => Pieces;

/** What the connections of a line know of each other. */
interface Run {
  isDone: boolean;
}

const work: Record<Order['method'], Work> = {
  a: oneTransaction,
  b: batches((sql) => sql`select public.migrate_batch() as answer`),
  c: batches((sql) => sql`select public.migrate_batch() as answer`),
  d: batches((sql) => sql`select public.migrate_batch(backup => false) as answer`),
  f: userByUser,
  g: calls,
  h: offsetPages,
  i: nullPages(''),
  j: nullPages(' for update of t skip locked'),
  k: computing,
  p: batches((sql) => sql`select public.migrate_batch() as answer`),
  r: batches((sql) => sql`select public.rollback_batch() as answer`),
};

if (import.meta.main) await obey(orderSchema.parse(JSON.parse(process.argv[2] ?? '')));

/** Works a turn for each message, and says how far it is. */
async function obey(order: Order): Promise<void> {
  const run: Run = { isDone: false };
  const workers = await Promise.all(
    Array.from({ length: order.connections }, async () => {
      const sql = postgres(order.databaseUrl, {
        max: 1,
        prepare: order.prepare,
        onnotice: () => {},
      });
      await sql`select 1`;
      return { sql, pieces: work[order.method](sql, order, run), moved: 0, ended: false };
    }),
  );
  const say = (): void => {
    const moved = workers.reduce((sum, worker) => sum + worker.moved, 0);
    const ended = workers.every((worker) => worker.ended);
    process.send?.({ moved, ended, clientBytes: peakMemory() } satisfies State);
  };
  process.on('message', async () => {
    const until = performance.now() + (order.turnMs ?? Number.POSITIVE_INFINITY);
    await Promise.all(workers.map((worker) => workOn(worker, until)));
    say();
    if (!workers.every((worker) => worker.ended)) return;
    await Promise.all(workers.map(({ sql }) => sql.end()));
    process.disconnect();
  });
  say();
}

/** Piece after piece until that moment; one at least. */
async function workOn(
  worker: { pieces: Pieces; moved: number; ended: boolean },
  until: number,
): Promise<void> {
  while (!worker.ended) {
    const { value, done } = await worker.pieces.next();
    if (done) worker.ended = true;
    else worker.moved = value;
    if (performance.now() >= until) return;
  }
}

/** One file of SQL, as it is. */
async function* oneTransaction(sql: Sql, order: Order): Pieces {
  await sql.unsafe(await statement('one-transaction'));
  yield order.users;
}

/** Calls of a function that goes through 100 users one by one, a transaction each call. */
async function* userByUser(sql: Sql): Pieces {
  await sql.unsafe(await statement('user-by-user'));
  let moved = 0;
  for (;;) {
    const [row] = await sql<{ moved: number }[]>`select guide.migrate_users(${guideSize}) as moved`;
    if (!row?.moved) return;
    moved += row.moved;
    yield moved;
  }
}

/** Imago: a call a piece, until nothing is left. */
function batches(batch: (sql: Sql) => PromiseLike<Iterable<unknown>>): Work {
  return async function* (sql, _order, run) {
    let moved = 0;
    let waitedMs = 0;
    while (!run.isDone) {
      const [row] = await batch(sql);
      const answer = answerSchema.parse((row as { answer?: unknown } | undefined)?.answer);
      if (answer.failed > 0 || ['failed', 'paused'].includes(answer.status)) {
        throw new Error(`Imago answered ${JSON.stringify(answer)}`);
      }
      const now = answer.migrated + answer.rolled_back;
      moved += now;
      if (now > 0 || answer.checking != null) waitedMs = 0;
      else if (waitedMs > patienceMs) throw new Error(`nothing moves: ${answer.status}`);
      if (!answer.has_more) run.isDone = true;
      else if (answer.retry_after_ms > 0) {
        waitedMs += answer.retry_after_ms;
        await delay(answer.retry_after_ms);
      }
      yield moved;
    }
  };
}

/** A call of the Data API for each user, one after the other. */
async function* calls(sql: Sql, order: Order): Pieces {
  if (!order.api) throw new Error('the Data API is needed');
  const client = connect(order.api.url, order.api.secretKey);
  const people = await sql<{ id: string }[]>`select id from public.users order by id limit ${order.users}`;
  for (const [index, { id }] of people.entries()) {
    const { error } = await client.rpc('migrate_user_to_avatar_centric', { user_id: id });
    if (error) throw new Error(`${error.code} ${error.message}`);
    yield index + 1;
  }
}

/** Pages by LIMIT and OFFSET over all users, a transaction each. */
async function* offsetPages(sql: Sql, order: Order): Pieces {
  const text = await statement('offset');
  let moved = 0;
  for (let offset = 0; offset < order.users; offset += pageSize) {
    const rows = await sql.unsafe<{ moved: number }[]>(text, [pageSize, offset]);
    moved += rows[0]?.moved ?? 0;
    yield moved;
  }
}

/** Pages of whatever has no avatar yet, a transaction each, a table after the other; locking is what a page ends with. */
function nullPages(locking: string): Work {
  return async function* (sql, order) {
    for (const table of ['users', 'posts', 'follows']) {
      const text = (await statement(`null-limit-${table}`)).replace('limit $1', `limit $1${locking}`);
      while ((await sql.unsafe(text, [pageSize])).count > 0) yield 0;
    }
    yield order.users;
  };
}

/** Reads no table and holds nothing, as long as Imago beside an app: what is left of the app's waiting is the machine's. */
async function* computing(sql: Sql): Pieces {
  for (;;) {
    const startedAt = performance.now();
    await sql`select count(*) from pg_catalog.generate_series(1, 500000)`;
    await delay(performance.now() - startedAt);
    yield 0;
  }
}

async function statement(name: string): Promise<string> {
  return await readFile(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8');
}
