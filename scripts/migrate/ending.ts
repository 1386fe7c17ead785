/** What an action hands over for the end, and the exit code that it comes to. */
import type {
  Bloated,
  DryRunAnswer,
  PerformanceAnswer,
  Problem,
  ProgressAnswer,
  RollbackUserAnswer,
  StatisticsAnswer,
} from '../../functions/_shared/answers.ts';
import type { CleanupAnswer, FinalizeAnswer } from '../../functions/_shared/finalizing.ts';
import type { ForecastAnswer } from '../../functions/_shared/forecasting.ts';
import type { ThrottleAnswer } from '../../functions/_shared/health.ts';
import type { ScheduleAnswer } from '../../functions/_shared/scheduling.ts';
import type { Tally } from './drive.ts';

export type Status =
  | 'done'
  /** Work or failures are left. */
  | 'left'
  | 'failed'
  | 'interrupted'
  | 'usage'
  /** Somebody was asked and said no. */
  | 'declined';

export const exitCodes: Record<Status, number> = {
  done: 0,
  failed: 1,
  usage: 2,
  left: 3,
  declined: 3,
  interrupted: 130,
};

/** What an action hands over for the end. */
export interface Ending {
  status: Status;
  /** What happened, in a sentence. */
  message: string;
  /** What to do next: sentences and command lines. */
  next: string[];
  error?: Problem;
  tally?: Tally;
  /** How long the batches ran. */
  durationMs?: number;
  workers?: number;
  progress?: ProgressAnswer;
  statistics?: StatisticsAnswer;
  performance?: PerformanceAnswer;
  /** Tables in which dead rows take room, at the end of a run. */
  bloat?: Bloated[];
  dryRun?: DryRunAnswer;
  /** What was expected of the run before its first row. */
  forecast?: ForecastAnswer;
  rolledBackUser?: RollbackUserAnswer;
  /** The state that a transition led to. */
  state?: string;
  finalize?: FinalizeAnswer;
  cleanup?: CleanupAnswer;
  schedule?: ScheduleAnswer;
  throttle?: ThrottleAnswer;
  /** What steps of finalize or clean-up have said. */
  warnings?: string[];
}
