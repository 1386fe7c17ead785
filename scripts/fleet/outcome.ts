/** What a piece of work on a member comes to. */

/** What SQL is told about it, and never more: no row, no secret, no word of a server. */
export interface Figures {
  /** The first run there that the rollout has worked on. */
  first_run?: number;
  /** By all runs since, of any worker. */
  moved?: number;
  remaining?: number;
  per_minute?: number;
  worked_ms?: number;
  code?: string;
  reason?: string;
}

export interface Outcome extends Figures {
  /** pending: it goes on at once; waiting: later. */
  state: 'succeeded' | 'failed' | 'skipped' | 'waiting' | 'pending';
  hint?: string;
  retry_after_ms?: number;
  /** Of waiting: it counts as a try that failed. */
  is_failure?: boolean;
  engine?: number;
  address?: string;
  /** What had been set aside there is being tried again. */
  is_retried?: boolean;
}
