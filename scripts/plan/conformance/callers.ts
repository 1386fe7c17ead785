/** Callers of a plan, alone and many at once, as commands, functions and jobs are. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { type Answer, call } from '../act.ts';

/** A caller that does not end is one that waits for something that never comes. */
const ROUNDS = 10_000;

/** Databases are the tester's to make and to drop. */
export interface Database {
  name: string;
  sql: Sql;
  /** Another session, independent of sql; drop() ends it. */
  connect(options?: { fetch_types?: boolean }): Sql;
  drop(): Promise<void>;
}

/** Works one claim of a stage that is done outside, which this answer has come to, of so many rows. */
export type Outside = (sql: Sql, answer: Answer, size: number | undefined) => Promise<Answer>;

/** One call, and what is done outside where it has come to that. */
export async function step(
  sql: Sql,
  name: 'migrate_batch' | 'rollback_batch',
  args: Record<string, unknown>,
  outside: Outside | undefined,
): Promise<Answer> {
  const answer = await call(sql, name, args);
  if (answer.status !== 'external' || !outside) return answer;
  return await outside(sql, answer, args.batch_size as number | undefined);
}

/** Calls migrate_batch or rollback_batch until nothing is left, the run stops or is paused; gives every answer. */
export async function callToEnd(
  sql: Sql,
  name: 'migrate_batch' | 'rollback_batch',
  args: Record<string, unknown> = {},
  outside?: Outside,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  while (answers.length < ROUNDS) {
    const answer = await step(sql, name, args, outside);
    answers.push(answer);
    if (!answer.has_more || answer.status === 'failed' || answer.status === 'paused') return answers;
    await delay(answer.retry_after_ms ?? 0);
  }
  throw new Error(`${name} is not done after ${ROUNDS} calls: ${JSON.stringify(answers.at(-1))}`);
}

/** The same where nothing may stop it. */
export async function callUntilDone(
  sql: Sql,
  name: 'migrate_batch' | 'rollback_batch',
  args: Record<string, unknown> = {},
  outside?: Outside,
): Promise<Answer[]> {
  const answers = await callToEnd(sql, name, args, outside);
  if (!answers.at(-1)?.has_more) return answers;
  throw new Error(`${name} stopped: ${JSON.stringify(answers.at(-1))}`);
}

/** So many callers at once, each with a connection of its own that stands before the first of them calls. */
export async function callAtOnce(
  db: Pick<Database, 'connect'>,
  callers: number,
  name: 'migrate_batch' | 'rollback_batch',
  args: Record<string, unknown> = {},
  outside?: Outside,
): Promise<Answer[][]> {
  const clients = Array.from({ length: callers }, () => db.connect());
  await Promise.all(clients.map((client) => client`select`));
  return await Promise.all(clients.map((client) => callUntilDone(client, name, args, outside)));
}

/** The sum of a number over all answers of all callers. */
export function total(answers: Answer[][], field: string): number {
  return answers.flat().reduce((sum, answer) => sum + Number(answer[field] ?? 0), 0);
}
