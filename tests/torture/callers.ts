/** Who asks for batches: over the network, by way of a pooler, again after each error that passes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { until } from '../../scripts/plan/conformance/until.ts';
import { type Answer, call } from '../support/call.ts';
import { codeOf, lost, type Way } from './machine.ts';
import { ask, type World } from './world.ts';

/** What a caller may hear and then calls again: locked, busy, cancelled, read-only for the moment. */
const passing = /^(40|55|57014|25006|IM016|IM025|IM064|IM088)/;

/** What stops a run until its cause is gone: who is called for takes it up again. */
const stopping = /^(53|58|IM020|IM021|IM024|IM060|IM061|IM065)/;

/** How often one caller takes a run up again that stops for no fault which is on. */
const attempts = 60;
const restMs = 4;

/** Small batches, so that there are many. */
function argumentsOf({ app, direction }: World): Record<string, unknown> {
  const plan = { plan: app.plan, max_ms: 1 };
  return direction === 'migrate_batch' ? { ...plan, batch_size: 3 } : plan;
}

export interface Callers {
  /** Whether somebody still calls. */
  working(): boolean;
  stop(): Promise<void>;
}

export function startCallers(world: World, ways: readonly Way[]): Callers {
  let stopped = false;
  let left = ways.length;
  const loops = ways.map(async (way) => {
    const sql = world.machine.connect(way, world.database, 'caller');
    await callToEnd(world, sql, way, () => stopped).finally(() => {
      left--;
    });
    await sql.end({ timeout: 0 });
  });
  const all = Promise.all(loops);
  all.catch(() => {});
  return {
    working: () => left > 0,
    async stop() {
      stopped = true;
      await all;
    },
  };
}

/** Calls until nothing is left, whatever comes in between. */
export async function callToEnd(
  world: World,
  sql: Sql,
  way: Way | 'direct',
  enough: () => boolean = () => false,
): Promise<Answer | undefined> {
  const { app, tally } = world;
  for (let again = 0; !enough(); ) {
    let answer: Answer;
    try {
      answer = await call(sql, world.direction, argumentsOf(world));
      tally.calls++;
      if (way === 'pooler') tally.pooled++;
    } catch (error) {
      const code = codeOf(error);
      // A function answers with a row: where there is none, pgbouncer has lost the server in the middle of the reply.
      const isCutShort = way === 'pooler' && (error as Error).message.endsWith('returned no row');
      if (isCutShort || lost.test(code) || passing.test(code)) {
        await delay(restMs);
        continue;
      }
      if (code === 'IM042') {
        await runDirect(world);
        continue;
      }
      if (!stopping.test(code)) {
        tally.wrong.push(
          `${world.direction} of ${app.plan} by way of ${way} failed, ${code}: ${(error as Error).message}`,
        );
        return undefined;
      }
      if (++again > attempts)
        throw new Error(`${world.direction} of ${app.plan} stops again and again: ${code}`);
      await takeUp(world, enough);
      continue;
    }
    const isAside = !answer.has_more && answer.state === 'failed';
    if (!answer.has_more && !isAside) return answer;
    if (answer.status === 'failed' || isAside) {
      if (++again > attempts) {
        throw new Error(
          `${world.direction} of ${app.plan} stops again and again: ${answer.error?.code ?? 'set aside'}`,
        );
      }
      await takeUp(world, enough);
    }
    await delay(Math.min(answer.retry_after_ms ?? restMs, 100));
  }
  return undefined;
}

/** Waits until what stopped the run is over, and lets it try again, as an operator does. */
async function takeUp(world: World, enough: () => boolean): Promise<void> {
  await until(
    'the faults that stop a run are over',
    async () => enough() || world.stopping.size === 0,
    60_000,
  );
  if (enough()) return;
  await ask(world, (sql) => call(sql, 'retry_failed_migrations', { plan: world.app.plan })).catch((error) => {
    // Another caller has taken it up, or somebody is about to.
    if (!/^(IM008|IM022)$/.test(codeOf(error)) && !passing.test(codeOf(error))) throw error;
  });
  await delay(restMs);
}

/** A step that no function can do, over the operator's connection. */
async function runDirect(world: World): Promise<void> {
  await ask(world, async (sql) => {
    const [step] = await sql<{ statement: string }[]>`
      select statement from imago.plan_step where plan = ${world.app.plan} and direct and done_at is null order by position limit 1`;
    if (step) await sql.unsafe(step.statement);
  });
}
