/** Retries and the batch loop, without a network: what is tried again, how often, and when it ends. */
import { describe, expect, test } from 'vitest';
import { type BatchAnswer, batchAnswer } from '../../functions/_shared/answers.ts';
import { CallError } from '../../scripts/call-error.ts';
import { backoffMs, isTransient, pause, retrying } from '../../scripts/command/retry.ts';
import { drive } from '../../scripts/migrate/drive.ts';

const failing = (code: string, status = 500) => new CallError({ code, message: code, status });

describe('retries', () => {
  test.each(['40001', '40P01', '55P03', '55006', '57014', '57P01', '57P03', '08006', '53300', 'IM016'])(
    'treat %s as an error that passes by itself',
    (code) => expect(isTransient(failing(code))).toBe(true),
  );

  test.each(['NETWORK', 'TIMEOUT'])('make a call that failed with %s again', (code) => {
    expect(isTransient(failing(code, 0))).toBe(true);
  });

  test.each([500, 502, 503, 504, 522, 429])('make a call that failed with HTTP %i again', (status) => {
    expect(isTransient(failing('HTTP', status))).toBe(true);
  });

  test.each(['IM001', 'IM008', '42501', '42P01', '23505', 'P0001', '53100', 'XX000', 'PGRST202', 'ANSWER'])(
    'do not make a call that failed with %s again',
    (code) => expect(isTransient(failing(code))).toBe(false),
  );

  test.each([400, 401, 403, 404])('do not make a call that failed with HTTP %i again', (status) => {
    expect(isTransient(failing('HTTP', status))).toBe(false);
  });

  test('wait twice as long each time, with some chance, up to a bound', () => {
    const shortest = [1, 2, 3, 4, 5, 6, 7, 20].map((attempt) => backoffMs(attempt, () => 0));
    const longest = [1, 2, 3, 4, 5, 6, 7, 20].map((attempt) => backoffMs(attempt, () => 1));
    expect(longest).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect(shortest).toEqual(longest.map((ms) => ms / 2));
  });

  test('end with the last error after as many tries as allowed', async () => {
    let tries = 0;
    const work = async () => {
      tries += 1;
      throw failing('NETWORK', 0);
    };
    await expect(retrying(work, { limit: 5, wait: async () => {} })).rejects.toThrow('NETWORK');
    expect(tries).toBe(5);
  });

  test('are none for an error that stays: it is thrown at once', async () => {
    let tries = 0;
    const work = async () => {
      tries += 1;
      throw failing('42501', 403);
    };
    await expect(retrying(work, { limit: 5, wait: async () => {} })).rejects.toThrow('42501');
    expect(tries).toBe(1);
  });

  test('end with the last error when they are interrupted while they wait', async () => {
    const stop = new AbortController();
    const forever = 2 ** 31 - 1;
    const never = retrying(() => Promise.reject(failing('NETWORK', 0)), {
      limit: 50,
      signal: stop.signal,
      wait: async (_, signal) => {
        const waiting = pause(forever, signal);
        stop.abort();
        await waiting;
      },
    });
    await expect(never).rejects.toThrow('NETWORK');
  });
});

describe('the batch loop', () => {
  const answer = (fields: Partial<BatchAnswer>): BatchAnswer =>
    batchAnswer.parse({
      status: 'working',
      has_more: fields.status !== 'done',
      run: 1,
      direction: 'forward',
      ...fields,
    });

  /** Drives over these answers, one a call, the last one for ever. */
  async function driven(
    answers: (BatchAnswer | Error)[],
    options: { workers?: number; patienceMs?: number; signal?: AbortSignal } = {},
  ) {
    let calls = 0;
    let running = 0;
    let most = 0;
    const runs: (number | undefined)[] = [];
    const result = await drive({
      direction: 'forward',
      workers: options.workers ?? 1,
      signal: options.signal ?? new AbortController().signal,
      onAnswer: () => {},
      ...(options.patienceMs !== undefined && { patienceMs: options.patienceMs }),
      batch: async (_, run) => {
        runs.push(run);
        const next = answers[Math.min(calls, answers.length - 1)] as BatchAnswer | Error;
        calls += 1;
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running -= 1;
        if (next instanceof Error) throw next;
        return next;
      },
    });
    return { ...result, calls, most, runs };
  }

  test('sleeps for as long as a run that is slowed asks, which is no wait and no trouble, and is woken by Ctrl-C', async () => {
    const slowed = answer({ migrated: 1, retry_after_ms: 1, health: { share: 0.5, reasons: [] } });
    const result = await driven([slowed, slowed, answer({ status: 'done', has_more: false })], {
      patienceMs: 0,
    });
    expect(result).toMatchObject({ outcome: 'done', calls: 3, tally: { migrated: 2, waits: 0 } });
    const asleep = await driven([answer({ retry_after_ms: 3_600_000 })], { signal: AbortSignal.timeout(20) });
    expect(asleep).toMatchObject({ outcome: 'interrupted', calls: 1 });
  });

  test('ends when an answer is done, and sums up', async () => {
    const result = await driven([
      answer({ status: 'preparing' }),
      answer({ processed: 5, migrated: 4, failed: 1, rows: { 'public.posts': 7 } }),
      answer({ processed: 3, migrated: 3, rows: { 'public.posts': 2, 'public.users': 3 } }),
      answer({ status: 'done' }),
    ]);
    expect(result).toMatchObject({ outcome: 'done', calls: 4 });
    expect(result.tally).toMatchObject({
      processed: 8,
      migrated: 7,
      failed: 1,
      rows: { 'public.posts': 9, 'public.users': 3 },
    });
  });

  test('counts as batches what has had something to do, and all that one request of a function called', async () => {
    const nothing = await driven([
      ...Array.from({ length: 15 }, () => answer({ status: 'preparing' })),
      answer({ status: 'done' }),
    ]);
    expect(nothing.tally.batches).toBe(0);
    const some = await driven([
      answer({ status: 'preparing' }),
      answer({ processed: 5, calls: 4 }),
      answer({ status: 'busy', retry_after_ms: 1 }),
      answer({ processed: 2, status: 'done' }),
    ]);
    expect(some.tally.batches).toBe(5);
  });

  test('does not take busy, before the run is there, for an answer about its direction', async () => {
    const result = await driven([
      answer({ status: 'busy', run: null, direction: 'rollback' }),
      answer({ status: 'done', run: 7 }),
    ]);
    expect(result).toMatchObject({ outcome: 'done', calls: 2 });
  });

  test('has one worker while the plan is prepared', async () => {
    const steps = Array.from({ length: 5 }, () => answer({ status: 'preparing' }));
    const preparing = await driven([...steps, answer({ status: 'done' })], { workers: 4 });
    expect(preparing).toMatchObject({ outcome: 'done', calls: 6, most: 1 });
    const working = await driven(
      [...steps, ...Array.from({ length: 20 }, () => answer({})), answer({ status: 'done' })],
      {
        workers: 4,
      },
    );
    expect(working.most).toBe(4);
  });

  test('waits after busy and deferred, then calls again', async () => {
    const result = await driven([
      answer({ status: 'busy', retry_after_ms: 1 }),
      answer({ status: 'deferred', retry_after_ms: 1 }),
      answer({ status: 'done' }),
    ]);
    expect(result).toMatchObject({ outcome: 'done', calls: 3 });
    expect(result.tally.waits).toBe(2);
  });

  test.each(['busy', 'deferred'] as const)(
    'does not repeat a call before the time that an answer %s asks for is over',
    async (status) => {
      const stop = new AbortController();
      const driving = driven([answer({ status, retry_after_ms: 600_000 })], { signal: stop.signal });
      // Long enough for many calls, were it not waiting.
      setTimeout(() => stop.abort(), 100);
      expect(await driving).toMatchObject({ outcome: 'interrupted', calls: 1 });
    },
  );

  test('gives up as stalled when it waits longer than its patience', async () => {
    const result = await driven([answer({ status: 'deferred', retry_after_ms: 10 })], { patienceMs: 100 });
    expect(result.outcome).toBe('stalled');
  });

  test('ends when the run is paused', async () => {
    expect((await driven([answer({}), answer({ status: 'paused' })])).outcome).toBe('paused');
  });

  test('goes on with the rollback when the error budget is used up', async () => {
    const error = { code: 'IM020', message: 'stopped', hint: null };
    const result = await driven([answer({}), answer({ status: 'failed', error, next: 'rollback' })]);
    expect(result).toMatchObject({ outcome: 'stopped', thenRollback: true, problem: { code: 'IM020' } });
  });

  test('joins a rollback that somebody else has begun', async () => {
    const result = await driven([answer({}), answer({ direction: 'rollback', run: 2 })]);
    expect(result).toMatchObject({ outcome: 'stopped', thenRollback: true });
  });

  test('ends when somebody has cancelled the run', async () => {
    const result = await driven([answer({}), answer({ status: 'cancelled', state: 'cancelled' })]);
    expect(result).toMatchObject({ outcome: 'cancelled', calls: 2 });
  });

  test('names the run of the first answer in every call', async () => {
    const steps = [answer({ status: 'preparing' }), answer({}), answer({}), answer({ status: 'done' })];
    expect((await driven(steps)).runs).toEqual([undefined, 1, 1, 1]);
    // Not even the other workers' first calls may open another one.
    const { runs } = await driven([...steps.slice(0, 3), ...steps], { workers: 4 });
    expect(runs.slice(1).every((run) => run === 1)).toBe(true);
  });

  test('names no run after an answer without one', async () => {
    const waiting = answer({ status: 'busy', run: null, retry_after_ms: 1 });
    const { runs } = await driven([waiting, answer({ run: 2 }), answer({ run: 2, status: 'done' })]);
    expect(runs).toEqual([undefined, undefined, 2]);
  });

  test('ends all workers at an error of one', async () => {
    const result = await driven([answer({}), answer({}), failing('42P01', 404)], { workers: 3 });
    expect(result).toMatchObject({ outcome: 'error', error: { code: '42P01' } });
  });
});
