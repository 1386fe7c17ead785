/** What is worth a second try, how long to wait before it, and when to give up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CallError } from '../call-error.ts';

/** Waits of 0.25 s, 0.5 s, 1 s … up to this long. */
const longestWaitMs = 10_000;
const firstWaitMs = 250;

/**
 * Tries in a row without one answer. While driving this bridges about a minute, which is what a restart or a failover
 * takes; the first call gives up within seconds, because then it is far more likely that the address is wrong.
 */
export const limits = { first: 4, driving: 11 } as const;

/**
 * True when the same call may well succeed a moment later: connection lost, timeout, server overloaded, or an SQLSTATE
 * that blames no entity. Repeating is safe: a batch and its cursor are committed together, so that a call whose reply
 * was lost is continued, not done twice.
 */
export function isTransient(error: unknown): error is CallError {
  if (!(error instanceof CallError)) return false;
  // What stands before a server speaks for it at times, in a language of its own.
  if (['NETWORK', 'TIMEOUT', 'NOT_JSON'].includes(error.code)) return true;
  // 08 connection, 40 rollback, 53300 too many connections, 55 object in use, 57 timeout, cancel or restart;
  // IM016 and IM025 say themselves that something is locked for the moment.
  if (/^(08...|40...|53300|55...|57...|PGRST00[0-3]|IM016|IM025)$/.test(error.code)) return true;
  // A server error that names no SQLSTATE comes from something in front of the database.
  return error.code === 'HTTP' && (error.status >= 500 || error.status === 429);
}

/** True when the server may have done the work although the answer never came. */
export function mayHaveHappened(error: unknown): boolean {
  return (
    error instanceof CallError && ['NETWORK', 'TIMEOUT', 'HTTP', 'NOT_JSON', 'TOO_LARGE'].includes(error.code)
  );
}

/** The wait before try number `attempt` (1 is the first repetition): exponential, between half and all of it. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const whole = Math.min(longestWaitMs, firstWaitMs * 2 ** (attempt - 1));
  return Math.round(whole * (0.5 + random() / 2));
}

export interface Retrying {
  /** Tries in all; the last error is thrown after so many. */
  limit: number;
  /** Ends the waiting; the last error is thrown then. */
  signal?: AbortSignal;
  /** Called before each wait. */
  onRetry?: (error: CallError, attempt: number, waitMs: number) => void;
  random?: () => number;
  wait?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

/** Does the work, again after a transient error, until it succeeds or the limit is reached. */
export async function retrying<Result>(work: () => Promise<Result>, options: Retrying): Promise<Result> {
  const wait = options.wait ?? pause;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || attempt >= options.limit || options.signal?.aborted) throw error;
      const ms = backoffMs(attempt, options.random);
      options.onRetry?.(error, attempt, ms);
      await wait(ms, options.signal);
      if (options.signal?.aborted) throw error;
    }
  }
}

/** Waits, and returns early, without throwing, when the signal comes. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}
