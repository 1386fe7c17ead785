/**
 * Works an external stage: claims entities, has the plan's own function work their rows, and brings back what it gives.
 * At least once outside, once inside: when a worker dies with a claim, another one gets the same rows.
 */
import type { BatchAnswer, ClaimAnswer, ReturnAnswer } from './answers.ts';

/** A zod schema, or what does the same. */
export interface Schema<Value> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: Value }
    | { success: false; error: { issues: readonly { path: readonly PropertyKey[] }[] } };
}

export interface ExternalOptions {
  /** Rows of one call. */
  batchSize: number;
  /** Calls at once. */
  concurrency: number;
  /** After a call, or a row, that failed. */
  retries: number;
  /** The longest that a call may take. */
  timeoutMs: number;
  /** For so long the rows of a call are nobody else's. */
  leaseMs: number;
}

export const defaultOptions: ExternalOptions = {
  batchSize: 50,
  concurrency: 4,
  retries: 3,
  timeoutMs: 15_000,
  leaseMs: 60_000,
};

/** What `external.ts` of a plan exports. */
export interface ExternalStage<Row = unknown, Result = unknown> {
  row: Schema<Row>;
  result: Schema<Result>;
  /** Gives a result for each row, in their order; an Error where one failed. */
  apply(rows: Row[], context: { keys: string[]; signal: AbortSignal }): Promise<readonly (Result | Error)[]>;
  options?: Partial<ExternalOptions>;
}

/** Why an entity has no result: codes and names, never values. */
export interface Failure {
  code: string;
  field?: string;
}

/** How one claim is worked. */
export interface Turn {
  stage: ExternalStage;
  claim: (batchSize: number, leaseMs: number) => Promise<ClaimAnswer>;
  bringBack: (
    token: string,
    results: Record<string, unknown>,
    failures: Record<string, Failure>,
  ) => Promise<ReturnAnswer>;
  /** The running call is the last; what was not worked is given back. */
  signal: AbortSignal;
  pause: (ms: number) => Promise<unknown>;
}

/** Claims some entities, works them, and brings them back. Where there was nothing to claim, the answer says why. */
export async function workClaim(turn: Turn): Promise<BatchAnswer> {
  const { stage, signal } = turn;
  const options = { ...defaultOptions, ...stage.options };
  const until = performance.now() + options.leaseMs;
  const claimed = await turn.claim(options.batchSize, options.leaseMs);
  const { token, entities } = claimed;
  if (claimed.status !== 'claimed' || !token) return claimed;
  const { results, failures } = await workRows(stage, options, entities, turn);

  let sum: BatchAnswer | undefined;
  for (;;) {
    const answer = await turn.bringBack(token, results, failures);
    sum = sum ? added(sum, answer) : answer;
    const comesLater = ['busy', 'deferred', 'waiting'].includes(answer.status);
    if (!comesLater && (answer.status !== 'working' || answer.left === 0)) return sum;
    // What is not written by then somebody else is handed again.
    if (comesLater && (signal.aborted || performance.now() > until)) return sum;
    await turn.pause(answer.retry_after_ms ?? 0);
  }
}

/** Several answers as one: counts summed up, and the status of the first that ends the run, or else of one that did something. */
export function summedUp(answers: readonly BatchAnswer[]): BatchAnswer | undefined {
  const goesOn = ['working', 'busy', 'deferred', 'waiting'];
  const [first, ...others] = answers.toSorted(
    (one, other) => goesOn.indexOf(one.status) - goesOn.indexOf(other.status),
  );
  return first && others.reduce((sum, answer) => added(answer, sum), first);
}

/** The later answer, with the counts of both. */
function added(before: BatchAnswer, answer: BatchAnswer): BatchAnswer {
  const rows = { ...before.rows };
  for (const [relation, count] of Object.entries(answer.rows)) rows[relation] = (rows[relation] ?? 0) + count;
  return {
    ...answer,
    processed: before.processed + answer.processed,
    migrated: before.migrated + answer.migrated,
    skipped: before.skipped + answer.skipped,
    failed: before.failed + answer.failed,
    rows,
  };
}

interface Item {
  key: string;
  row: unknown;
}

async function workRows(
  stage: ExternalStage,
  options: ExternalOptions,
  entities: readonly Item[],
  { signal, pause }: Pick<Turn, 'signal' | 'pause'>,
): Promise<{ results: Record<string, unknown>; failures: Record<string, Failure> }> {
  const results: Record<string, unknown> = {};
  const failures: Record<string, Failure> = {};
  const take = (schema: Schema<unknown>, code: string, key: string, value: unknown) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed;
    failures[key] = { code, field: parsed.error.issues[0]?.path.map(String).join('.') ?? '' };
    return undefined;
  };

  /** Works these rows, once more those that failed; halves what fails as a whole, down to the row. */
  const work = async (items: readonly Item[], tries: number): Promise<void> => {
    let open = items;
    let failed: Failure[] = [];
    let isWhole = false;
    for (let attempt = 1; attempt <= tries && open.length > 0 && !signal.aborted; attempt += 1) {
      if (attempt > 1) await pause(backoffMs(attempt));
      try {
        const given = await called(stage, open, options.timeoutMs);
        const again: Item[] = [];
        failed = [];
        isWhole = false;
        open.forEach((item, i) => {
          const value = given[i];
          if (value instanceof Error) {
            again.push(item);
            failed.push({ code: codeOf(value) });
            return;
          }
          const parsed = take(stage.result, 'result', item.key, value);
          if (parsed) results[item.key] = parsed.data;
        });
        open = again;
      } catch (error) {
        isWhole = true;
        failed = open.map(() => ({ code: codeOf(error) }));
      }
    }
    if (open.length === 0 || signal.aborted) return;
    if (isWhole && open.length > 1) {
      const half = Math.ceil(open.length / 2);
      for (const part of [open.slice(0, half), open.slice(half)])
        await work(part, part.length === 1 ? tries : 1);
      return;
    }
    open.forEach(({ key }, i) => {
      failures[key] = failed[i] ?? { code: 'error' };
    });
  };

  const items = entities.flatMap(({ key, row }) => {
    const parsed = take(stage.row, 'row', key, row);
    return parsed ? [{ key, row: parsed.data }] : [];
  });
  await work(items, 1 + options.retries);
  return { results, failures };
}

/** Calls the function of the plan, for as long as a call may take: it may not listen to its signal. */
async function called(
  stage: ExternalStage,
  items: readonly Item[],
  timeoutMs: number,
): Promise<readonly unknown[]> {
  const ended = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(coded('timeout'));
      ended.abort();
    }, timeoutMs);
  });
  try {
    const work = stage.apply(
      items.map(({ row }) => row),
      { keys: items.map(({ key }) => key), signal: ended.signal },
    );
    const given: unknown = await Promise.race([work, late]);
    if (!Array.isArray(given) || given.length !== items.length) throw coded('count');
    return given;
  } finally {
    clearTimeout(timer);
  }
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** What names an error without its message, which may quote a row. */
function codeOf(error: unknown): string {
  const { code, cause, name } = error as { code?: unknown; cause?: { code?: unknown }; name?: unknown };
  const found = [code, cause?.code, name].find(
    (value) => typeof value === 'string' && /^[\w.-]{1,60}$/.test(value),
  );
  return typeof found === 'string' ? found : 'error';
}

/** Between half and all of 0.4 s, 0.8 s, 1.6 s … */
function backoffMs(attempt: number): number {
  return Math.round(100 * 2 ** attempt * (0.5 + Math.random() / 2));
}
