/** Prepares and finalizes, as the command does. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { type Answer, call } from '../act.ts';

const CALLS = 1_000;

/** Prepares a plan, its direct steps included. */
export async function prepare(sql: Sql, plan: string): Promise<void> {
  await steps(sql, 'prepare_migration', { plan });
}

/** Finalizes a plan, its direct steps included; gives every answer. */
export async function finalize(
  sql: Sql,
  plan: string,
  args: { allow_data_loss?: boolean } = {},
): Promise<Answer[]> {
  return await steps(sql, 'finalize_migration', { plan, ...args });
}

/** Calls until nothing is left; a statement that no function can run is run here, as the command does. */
async function steps(sql: Sql, name: string, args: { plan: string }): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let calls = 0; calls < CALLS; calls++) {
    const answer = await call(sql, name, args).catch(async (error: { code?: string }) => {
      if (error.code !== 'IM042') throw error;
      await runDirect(sql, args.plan);
      return undefined;
    });
    if (!answer) continue;
    answers.push(answer);
    if (!answer.has_more) return answers;
    await delay(answer.retry_after_ms ?? 0);
  }
  throw new Error(`${name} is not done after ${CALLS} calls: ${JSON.stringify(answers.at(-1))}`);
}

async function runDirect(sql: Sql, plan: string): Promise<void> {
  const [step] = await sql<{ statement: string }[]>`
    select statement from imago.plan_step where plan = ${plan} and direct and done_at is null order by position limit 1`;
  if (!step) throw new Error(`plan ${plan} has no direct step left`);
  await sql.unsafe(step.statement);
}
