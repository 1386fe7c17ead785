/** The work of each method, as the process of its own in which it is measured: `node bench/work.ts '{…}'`. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import postgres, { type Sql } from 'postgres';
import { z } from 'zod';
import { call, connect } from '../scripts/client.ts';
import { peakMemory } from './memory.ts';

export const orderSchema = z.object({
  method: z.enum(['a', 'b', 'c', 'd', 'f', 'g', 'h', 'i', 'r']),
  users: z.number(),
  databaseUrl: z.string(),
  api: z.object({ url: z.string(), secretKey: z.string() }).optional(),
});

export type Order = z.output<typeof orderSchema>;

export const doneSchema = z.object({ seconds: z.number(), moved: z.number(), clientBytes: z.number() });

/** What the process prints. */
export type Done = z.output<typeof doneSchema>;

/** Rows a page in the methods that go by pages. */
const pageSize = 1000;

/** Users a call where they are gone through one by one, as the guide has it. */
const guideSize = 100;

/** Nobody else is on the database, so whoever waits longer than this waits for ever. */
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

const work: Record<Order['method'], (order: Order) => Promise<Pick<Done, 'seconds' | 'moved'>>> = {
  a: oneTransaction,
  b: (order) => batches(order, 1, (sql) => sql`select public.migrate_batch() as answer`),
  c: (order) => batches(order, 2, (sql) => sql`select public.migrate_batch() as answer`),
  d: (order) => batches(order, 1, (sql) => sql`select public.migrate_batch(backup => false) as answer`),
  f: userByUser,
  g: calls,
  h: offsetPages,
  i: nullPages,
  r: (order) => batches(order, 1, (sql) => sql`select public.rollback_batch() as answer`),
};

if (import.meta.main) {
  const order = orderSchema.parse(JSON.parse(process.argv[2] ?? ''));
  const done = await work[order.method](order);
  process.stdout.write(JSON.stringify({ ...done, clientBytes: peakMemory() } satisfies Done));
}

/** One file of SQL, as it is. */
async function oneTransaction(order: Order): Promise<Pick<Done, 'seconds' | 'moved'>> {
  const text = await statement('one-transaction');
  return await timed(order, 1, async ([sql]) => {
    await sql?.unsafe(text);
    return order.users;
  });
}

/** Calls of a function that goes through 100 users one by one, a transaction each call. */
async function userByUser(order: Order): Promise<Pick<Done, 'seconds' | 'moved'>> {
  const sql = session(order);
  await sql.unsafe(await statement('user-by-user')).finally(() => sql.end());
  return await timed(order, 1, async ([sql]) => {
    let moved = 0;
    for (;;) {
      const rows = await sql?.unsafe<{ moved: number }[]>('select guide.migrate_users($1) as moved', [
        guideSize,
      ]);
      const now = rows?.[0]?.moved ?? 0;
      if (now === 0) return moved;
      moved += now;
    }
  });
}

/** Imago: calls until nothing is left, from so many connections at the same time. */
async function batches(
  order: Order,
  workers: number,
  batch: (sql: Sql) => PromiseLike<Iterable<unknown>>,
): Promise<Pick<Done, 'seconds' | 'moved'>> {
  return await timed(order, workers, async (sessions) => {
    let isDone = false;
    const counts = sessions.map(async (sql) => {
      let moved = 0;
      let movedAt = performance.now();
      while (!isDone) {
        const [row] = await batch(sql);
        const answer = answerSchema.parse((row as { answer?: unknown } | undefined)?.answer);
        if (answer.failed > 0 || ['failed', 'paused'].includes(answer.status)) {
          throw new Error(`Imago answered ${JSON.stringify(answer)}`);
        }
        const now = answer.migrated + answer.rolled_back;
        moved += now;
        if (now > 0 || answer.checking != null) movedAt = performance.now();
        else if (performance.now() - movedAt > patienceMs) throw new Error(`nothing moves: ${answer.status}`);
        if (!answer.has_more) isDone = true;
        else if (answer.retry_after_ms > 0) await delay(answer.retry_after_ms);
      }
      return moved;
    });
    return (await Promise.all(counts)).reduce((sum, moved) => sum + moved, 0);
  });
}

/** One call of the Data API for each user, one after the other. */
async function calls(order: Order): Promise<Pick<Done, 'seconds' | 'moved'>> {
  if (!order.api) throw new Error('the Data API is needed');
  const client = connect(order.api.url, order.api.secretKey);
  const sql = session(order);
  const people = await sql<{ id: string }[]>`select id from public.users order by id limit ${order.users}`;
  await sql.end();
  // The first call of a client sets up its connection.
  await call(client, 'get_migration_statistics', {});
  const started = performance.now();
  for (const { id } of people) {
    const { error } = await client.rpc('migrate_user_to_avatar_centric', { user_id: id });
    if (error) throw new Error(`${error.code} ${error.message}`);
  }
  return { seconds: (performance.now() - started) / 1000, moved: people.length };
}

/** Pages by LIMIT and OFFSET over all users, a transaction each. */
async function offsetPages(order: Order): Promise<Pick<Done, 'seconds' | 'moved'>> {
  const text = await statement('offset');
  return await timed(order, 1, async ([sql]) => {
    let moved = 0;
    for (let offset = 0; offset < order.users; offset += pageSize) {
      const rows = await sql?.unsafe<{ moved: number }[]>(text, [pageSize, offset]);
      moved += rows?.[0]?.moved ?? 0;
    }
    return moved;
  });
}

/** Pages of whatever has no avatar yet, a transaction each, a table after the other. */
async function nullPages(order: Order): Promise<Pick<Done, 'seconds' | 'moved'>> {
  const texts = await Promise.all(
    ['users', 'posts', 'follows'].map((table) => statement(`null-limit-${table}`)),
  );
  return await timed(order, 1, async ([sql]) => {
    for (const text of texts) {
      for (;;) {
        const result = await sql?.unsafe(text, [pageSize]);
        if (!result?.count) break;
      }
    }
    return order.users;
  });
}

async function timed(
  order: Order,
  count: number,
  run: (sessions: Sql[]) => Promise<number>,
): Promise<Pick<Done, 'seconds' | 'moved'>> {
  const sessions = Array.from({ length: count }, () => session(order));
  await Promise.all(sessions.map((sql) => sql`select 1`));
  const started = performance.now();
  const moved = await run(sessions);
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(sessions.map((sql) => sql.end()));
  return { seconds, moved };
}

function session(order: Order): Sql {
  return postgres(order.databaseUrl, { max: 1, onnotice: () => {} });
}

async function statement(name: string): Promise<string> {
  return await readFile(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8');
}
