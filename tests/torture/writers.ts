/** The app, that goes on writing: each writer has rows of its own, so that the order of their writes is known. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { until } from '../../scripts/plan/conformance/until.ts';
import { value } from '../support/call.ts';
import { type Change, GaveWay, type Slice, type Write } from './app.ts';
import { codeOf, lost } from './machine.ts';
import { ask, type World } from './world.ts';

export const writers = 3;
const restMs = 12;

/** Codes that the app's own write may get: a deadlock between its own transactions, and a write that an operator keeps from being journaled. */
const expected = /^(40P01|IM060)$/;

/** The numbers of writes, the same for nobody else. */
let numbers = 0;

/** The rows of one writer: those of the beginning by their place, and those that it has made. */
export function sliceOf({ model }: World, writer: number, random: () => number): Slice {
  const first = new Map<string, Set<string>>();
  const own = new Map<string, Set<string>>();
  const firstOf = (table: string) => {
    let keys = first.get(table);
    if (!keys) {
      keys = new Set([...model.rows(table).keys()].sort().filter((_, place) => place % writers === writer));
      first.set(table, keys);
    }
    return keys;
  };
  const below = (limit: number) => Math.floor(random() * limit);
  return {
    below,
    next: () => ++numbers,
    isNew: (table, key) => own.get(table)?.has(key) ?? false,
    own(table, key) {
      own.set(table, (own.get(table) ?? new Set()).add(key));
    },
    key(table, which = () => true) {
      const there = model.rows(table);
      const keys = [...firstOf(table), ...(own.get(table) ?? [])].filter(
        (key) => there.has(key) && which(key),
      );
      return keys[below(keys.length)];
    },
  };
}

export interface Writers {
  /** Lets each end what it is about, and waits for that. */
  stop(): Promise<void>;
}

/** Starts all writers of an app; `slices` keep for the next time what each has made. */
export function startWriters(world: World, slices: readonly Slice[]): Writers {
  let stopped = false;
  const loops = slices.map(async (slice) => {
    const connect = () => world.machine.connect('writers', world.database, 'writer');
    let sql = connect();
    while (!stopped) {
      if (await write(world, sql, choose(world.app.writes, slice), slice)) {
        await sql.end({ timeout: 0 });
        sql = connect();
      }
      await delay(restMs);
    }
    await sql.end({ timeout: 0 });
  });
  const all = Promise.all(loops);
  // What goes wrong is told where somebody waits for the writers.
  all.catch(() => {});
  return {
    async stop() {
      stopped = true;
      await all;
    },
  };
}

function choose(writes: readonly Write[], slice: Slice): Write {
  let at = slice.below(writes.reduce((sum, { weight }) => sum + weight, 0));
  for (const write of writes) {
    at -= write.weight;
    if (at < 0) return write;
  }
  throw new Error('no write was chosen');
}

/** One transaction of the app. The model follows it once it is known to be committed. True where the connection was lost. */
async function write(world: World, sql: Sql, { name, write }: Write, slice: Slice): Promise<boolean> {
  const number = ++numbers;
  let pid = 0;
  let change: Change | null = null;
  try {
    // By hand: begin() of the driver rolls back on a connection that it has lost, and that ends the process.
    await sql`begin`;
    const [session] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
    pid = session?.pid ?? 0;
    change = await write(sql, world.model, slice);
    if (change) await sql`insert into torture.written (n) values (${number})`;
    await sql`commit`;
  } catch (error) {
    const code = codeOf(error);
    if (lost.test(code)) {
      if (await wasWritten(world, pid, number)) done(world, change);
      return true;
    }
    if (error instanceof GaveWay) world.tally.gaveWay++;
    else if (!expected.test(code)) {
      world.tally.wrong.push(`the app's own write failed, ${name}: ${code || (error as Error).message}`);
    }
    return await sql`rollback`.then(
      () => false,
      () => true,
    );
  }
  done(world, change);
  return false;
}

function done(world: World, change: Change | null): void {
  if (change) world.tally.writes++;
  change?.();
}

/** Whether a transaction of which no answer came was committed: known when its session has gone. */
async function wasWritten(world: World, pid: number, number: number): Promise<boolean> {
  return await ask(world, async (sql) => {
    const gone = `select not exists (select from pg_stat_activity where pid = ${pid} and application_name = 'writer')`;
    await until('the session of a writer has gone', () => value<boolean>(sql, gone));
    return await value<boolean>(sql, `select exists (select from torture.written where n = ${number})`);
  });
}
