/** Calls the validation until it is complete, or the time is used. */

import { Budget, pause } from './budget.ts';
import type { Answer } from './database.ts';

type Validation = Answer<'validate_migration'>;

/** Checks on big tables read much at once; still well below the Data API's timeout of 8 s. */
const longestCallMs = 5_000;

/** Another validation of the same plan is under way: it is soon over, or asks again itself. */
const busyMs = 250;

/** The last answer: it tells of all calls. `has_more` says whether the time was too short. */
export async function checkUntil(
  check: (maxMs: number) => Promise<Validation>,
  maxSeconds: number,
  signal: AbortSignal,
): Promise<Validation> {
  const budget = new Budget(maxSeconds);
  for (;;) {
    const answer = await check(budget.share(longestCallMs));
    if (!answer.has_more || answer.status === 'waiting') return answer;
    if (answer.status === 'busy') await pause(answer.retry_after_ms ?? busyMs, budget, signal);
    if (!budget.isLeft || signal.aborted) return answer;
  }
}
