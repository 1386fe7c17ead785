/** The engine on a scratch plan: there, half-way, killed, back, there again, and ended for good. */
import type { Sql } from 'postgres';
import { z } from 'zod';
import { duration } from '../../command/figures.ts';
import { codeOf, Failed } from './part.ts';
import { rows } from './scratch.ts';

export interface Bench {
  /** The session that does everything but what is killed. */
  sql: Sql;
  /** Opens one more, which the caller ends. */
  open: () => Sql;
  /** The plan, and its schema. */
  name: string;
  /** One small batch through the Data API, where that answers. */
  batchByApi: (() => Promise<unknown>) | undefined;
  signal: AbortSignal;
  /** Hears what is being tried. */
  onStep: (text: string) => void;
}

const answerSchema = z.looseObject({
  has_more: z.boolean().optional(),
  retry_after_ms: z.number().nullish(),
  error: z.looseObject({ code: z.string() }).nullish(),
});

/** Longer than any step of this takes where nobody is in its way. */
const longestMs = 60_000;

/** Tries all of it; gives what there is to say. */
export async function tryEngine(bench: Bench): Promise<string> {
  const startedAt = performance.now();
  const notes: string[] = [];
  const steps: [name: string, work: (bench: Bench) => Promise<string | undefined>][] = [
    [
      'prepare',
      ({ sql, name }) => drive(bench, () => sql`select public.prepare_migration(${name}) as answer`),
    ],
    ['first batch', firstBatch],
    ['killed session', killed],
    ['finalize half-way', (at) => refused(at, 'finalize_migration', 'IM038')],
    ['migrate', migrateAll],
    ['roll back', rollBack],
    ['migrate again', migrateAll],
    [
      'finalize',
      ({ sql, name }) => drive(bench, () => sql`select public.finalize_migration(${name}) as answer`),
    ],
    ['roll back when finalized', (at) => refused(at, 'rollback_batch', 'IM039')],
    [
      'clean up',
      ({ sql, name }) => drive(bench, () => sql`select public.cleanup_migration(${name}, '0') as answer`),
    ],
  ];
  for (const [name, work] of steps) {
    bench.signal.throwIfAborted();
    bench.onStep(name);
    try {
      const note = await work(bench);
      if (note !== undefined) notes.push(note);
    } catch (error) {
      throw new Failed(`at "${name}": ${error instanceof Failed ? error.message : codeOf(error)}`);
    }
  }
  const what = 'prepared, migrated, rolled back, migrated, finalized, cleaned up';
  return [`${what}: ${rows} rows, ${duration(performance.now() - startedAt)}`, ...notes].join('; ');
}

async function migrateAll(bench: Bench): Promise<undefined> {
  const { sql, name } = bench;
  await drive(bench, () => sql`select public.migrate_batch(${name}, batch_size => 50) as answer`);
  await expectMoved(bench, rows);
}

async function rollBack(bench: Bench): Promise<undefined> {
  const { sql, name } = bench;
  await drive(bench, () => sql`select public.rollback_batch(${name}) as answer`);
  await expectMoved(bench, 0);
}

/** So few rows that some are left. */
async function firstBatch(bench: Bench): Promise<string> {
  const { sql, name, batchByApi } = bench;
  if (batchByApi) await batchByApi();
  else await sql`select public.migrate_batch(${name}, max_ms => 1, batch_size => 10)`;
  const moved = await countMoved(bench);
  if (moved === 0 || moved === rows) throw new Failed(`${moved} of ${rows} rows moved`);
  return `the first batch ${batchByApi ? 'through the Data API' : 'over the connection'}`;
}

/**
 * A session that dies in the middle of a batch takes the batch back with it. It is sent all that it does at once, which is one
 * transaction, and found by that: a pooler may give each of its statements to another server process.
 */
async function killed(bench: Bench): Promise<string> {
  const { sql, name } = bench;
  const before = await countMoved(bench);
  const work = `select public.migrate_batch('${name}', max_ms => 1, batch_size => 10); select pg_sleep(10)`;
  const victim = bench.open();
  try {
    const outcome = victim.unsafe(work).then(() => 'committed', codeOf);
    let pid: number | undefined;
    await until(bench, async () => {
      const [found] = await sql<{ pid: number }[]>`
        select pid from pg_stat_activity where query = ${work} and wait_event = 'PgSleep' and pid <> pg_backend_pid()`;
      pid = found?.pid;
      return pid !== undefined;
    });
    const refusal = await sql`select pg_terminate_backend(${pid ?? 0})`.then(() => undefined, codeOf);
    const met = await outcome;
    if (refusal === '42501') return 'no session may be ended here';
    if (met === 'committed') throw new Failed('its batch was committed all the same');
  } finally {
    await victim.end({ timeout: 0 });
  }
  await expectMoved(bench, before);
  return 'a killed session took its batch back';
}

/** A call that has to be refused, with this code. */
async function refused({ sql, name }: Bench, routine: string, code: string): Promise<undefined> {
  let met = 'no refusal';
  try {
    await sql`select public.${sql(routine)}(${name})`;
  } catch (error) {
    met = codeOf(error);
  }
  if (met !== code) throw new Failed(`${code} expected, ${met} met`);
}

async function drive(bench: Bench, ask: () => PromiseLike<readonly unknown[]>): Promise<undefined> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < longestMs) {
    bench.signal.throwIfAborted();
    const [row] = (await ask()) as { answer: unknown }[];
    const parsed = answerSchema.safeParse(row?.answer);
    if (!parsed.success) throw new Failed('an answer that this version does not understand');
    const { has_more: more = false, error, retry_after_ms: wait } = parsed.data;
    if (error) throw new Failed(codeOf(error));
    if (!more) return;
    if (wait) await pause(bench, Math.min(wait, 2_000));
  }
  throw new Failed(`no end after ${duration(longestMs)}`);
}

async function countMoved({ sql, name }: Bench): Promise<number> {
  const [found] = await sql<{ moved: number }[]>`
    select count(full_name)::int as moved from ${sql(`${name}_app`)}.people`;
  return found?.moved ?? 0;
}

async function expectMoved(bench: Bench, expected: number): Promise<void> {
  const moved = await countMoved(bench);
  if (moved !== expected) throw new Failed(`${moved} rows are moved, ${expected} should be`);
}

/** Looks until it is so, for a while. */
async function until(bench: Bench, look: () => Promise<boolean>): Promise<void> {
  for (let times = 0; times < 100; times++) {
    bench.signal.throwIfAborted();
    if (await look()) return;
    await pause(bench, 100);
  }
  throw new Failed('it did not come about within 10 s');
}

async function pause({ signal }: Bench, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
