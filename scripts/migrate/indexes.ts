/** Builds the indexes that rollback needs over DATABASE_URL, concurrently: nobody's writes wait for them. */
import type { Sql } from 'postgres';
import { CallError } from '../client.ts';
import { problemOf } from '../command/problem.ts';
import type { Context } from './context.ts';
import {
  type Connected,
  type DirectStep,
  directly,
  type Errand,
  type Held,
  lockTimeoutMs,
  runNext,
} from './direct.ts';

/** The indexes that rollback needs, and that would keep writers waiting if a call built them. */
function indexesOf({ options: { plan } }: Connected): Errand {
  return {
    next: async (sql) => (await sql<DirectStep[]>`select * from imago.direct_index(${plan})`)[0],
    held: async (sql) => {
      const [row] = await sql<{ held: Held | null }[]>`
        select imago.held_fields(imago.find_plan(${plan})) as held`;
      return row?.held ?? undefined;
    },
    ran: async (sql) => await sql`select imago.adopt_indexes(${plan})`,
    announce: (statement) => `Building beside the app what rollback needs: ${statement}`,
  };
}

/** Builds all indexes of the plan that are left to a connection. False when interrupted. */
export async function buildIndexes(context: Connected, databaseUrl: string): Promise<boolean> {
  for (;;) {
    const turn = await runNext(context, databaseUrl, indexesOf(context));
    if (turn !== 'ran') return turn === 'none';
  }
}

/** Makes a call. Where it is refused for an index, that is built over DATABASE_URL, and the call made again. */
export async function pastIndexes<Answer>(
  context: Connected,
  call: () => Promise<Answer>,
): Promise<Answer | undefined> {
  try {
    return await call();
  } catch (error) {
    const { databaseUrl } = context;
    if (!(error instanceof CallError) || error.code !== 'IM057' || databaseUrl === undefined) throw error;
    return (await buildIndexes(context, databaseUrl)) ? await call() : undefined;
  }
}

/**
 * Says in the database that somebody is here who builds indexes concurrently, for as long as this connection lasts: no call
 * builds one then that keeps writers waiting. Gives what takes that back. Where it cannot be said, the calls decide as if there
 * were no connection, and what cannot be built over it either is told at the end.
 */
export function offerConnection({ databaseUrl, options, terminal }: Context): () => Promise<void> {
  if (databaseUrl === undefined) return async () => {};
  let sql: Sql | undefined;
  const offer = async () => {
    try {
      sql = directly(databaseUrl, lockTimeoutMs, terminal);
      await sql`select pg_advisory_lock_shared(imago.plan_lock_key(${options.plan}, 'index'))`;
    } catch (error) {
      terminal.debug(`DATABASE_URL could not be used (${problemOf(error).code ?? 'NETWORK'}).`);
    }
  };
  const offered = offer();
  return async () => {
    await sql?.end({ timeout: 1 });
    await offered;
  };
}
