/** What the page of --report tells. */
import type { RunHistory, ValidationAnswer } from '../../../functions/_shared/validation.ts';
import type { Purpose } from '../checks.ts';
import type { Status } from '../verdict.ts';

export interface Report {
  plan: string;
  /** The host of the project, or what stands for it. */
  database: string;
  /** What came out, line by line. */
  message: string[];
  /** Findings below --fail-on are no alarm, but not nothing either. */
  tone: Status | 'noted';
  /** What to do next: sentences and command lines. */
  next: string[];
  purpose: Purpose;
  startedAt: Date;
  durationMs: number;
  answer: ValidationAnswer;
  history: RunHistory;
}
