/** Makes a plan do something in the scratch database. */
import type { ISql, Sql } from 'postgres';

/** What an API function answers; which fields it has differs from one to the next. */
// biome-ignore lint/suspicious/noExplicitAny: looked at field by field
export type Answer = Record<string, any>;

/** More calls than any of these takes: what does not end by then never does. */
const CALLS = 2_000;

/** Calls a function of schema public. */
export async function call(sql: ISql, name: string, args: Record<string, unknown>): Promise<Answer> {
  const list = Object.keys(args).map((argument, i) => `${argument} => $${i + 1}`);
  const [row] = await sql.unsafe<{ answer: Answer }[]>(
    `select public.${name}(${list.join(', ')}) as answer`,
    Object.values(args) as never[],
  );
  return row?.answer ?? {};
}

/** Calls until nothing is left, or until `enough`; gives the last answer. */
export async function callOut(
  sql: Sql,
  name: string,
  args: Record<string, unknown>,
  enough: (answer: Answer) => boolean = () => false,
): Promise<Answer> {
  for (let calls = 0; calls < CALLS; calls++) {
    const answer = await call(sql, name, args).catch(async (raised: { code?: string }) => {
      if (raised.code !== 'IM042') throw raised;
      await runDirect(sql, String(args.plan));
      return undefined;
    });
    if (answer && (!answer.has_more || answer.status === 'failed' || enough(answer))) return answer;
  }
  throw new Error(`${name} is not done after ${CALLS} calls`);
}

/** A step that no function can do is done over the connection, as the command does it. */
async function runDirect(sql: Sql, plan: string): Promise<void> {
  const [step] = await sql<{ statement: string }[]>`
    select statement from imago.plan_step where plan = ${plan} and direct and done_at is null order by position limit 1`;
  if (step) await sql.unsafe(step.statement);
}

class TakenBack extends Error {}

/** Does something in a transaction that is rolled back, whatever comes of it. */
export async function takenBack<T>(sql: Sql, work: (tx: ISql) => Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  await sql
    .begin(async (tx) => {
      result = { value: await work(tx) };
      throw new TakenBack();
    })
    .catch((raised) => {
      if (!(raised instanceof TakenBack)) throw raised;
    });
  return (result as { value: T }).value;
}
