/** The time that a request may take. */

/** Less than this is no batch. */
const shortestMs = 50;

export class Budget {
  readonly #startedAt = performance.now();
  readonly #endsAt: number;

  constructor(maxSeconds: number) {
    const wholeMs = maxSeconds * 1000;
    // The last statement may take longer than it was given, and the answer has to be on its way in time.
    this.#endsAt = this.#startedAt + wholeMs - Math.min(1_500, wholeMs * 0.3);
  }

  get elapsedMs(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  /** Whether another call is worth it. */
  get isLeft(): boolean {
    return this.#endsAt - performance.now() > shortestMs;
  }

  /** Whether there is time for another call after a wait of so long. */
  holds(waitMs: number): boolean {
    return this.#endsAt - performance.now() > waitMs + shortestMs;
  }

  /** What a call may take: what is left, and no more than this. */
  share(longestMs: number): number {
    const leftMs = this.#endsAt - performance.now();
    return Math.round(Math.max(shortestMs, Math.min(longestMs, leftMs)));
  }
}

/** Waits as long as SQL asks for, a little longer at random, so that those who were sent away together spread. */
export async function pause(askedMs: number, budget: Budget, signal: AbortSignal): Promise<void> {
  if (askedMs <= 0 || signal.aborted) return;
  const ms = budget.share(askedMs * (1 + Math.random() / 4));
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
