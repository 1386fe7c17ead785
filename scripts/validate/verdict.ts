/** What an invocation ends with: the status, the sentence, what to do next, and one object for machines. */
import type { Problem } from '../../functions/_shared/answers.ts';
import { counted } from '../command/figures.ts';
import { commandLine, planFlags, siblingName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import { outsideText } from '../command/progress-words.ts';
import type { Traffic } from '../command/session.ts';
import type { Checked } from './checks.ts';
import type { Options } from './options.ts';
import { isLeft, standingSteps, standingText } from './standing.ts';
import { broken, findings, summary } from './words.ts';

export type Status =
  | 'clean'
  /** At or over --fail-on. */
  | 'findings'
  /** No such finding, but the migration has not come to its end. */
  | 'left'
  /** It could not be checked. */
  | 'failed'
  | 'usage'
  | 'interrupted';

export const exitCodes: Record<Status, number> = {
  clean: 0,
  failed: 1,
  usage: 2,
  findings: 3,
  left: 3,
  interrupted: 130,
};

export interface Ending {
  status: Status;
  /** What came out, in a sentence. */
  message: string;
  /** What to do next: sentences and command lines. */
  next: string[];
  error?: Problem;
  /** What was checked, as far as it went. */
  checked?: Checked;
  /** The file that --report wrote. */
  report?: string;
}

/** Weighs the result of checking, or of fixing. */
export function judge(checked: Checked, options: Options, program: string): Ending {
  const { answer, outcome } = checked;
  if (outcome === 'interrupted') {
    return {
      status: 'interrupted',
      message: 'Stopped. What is shown is only a part.',
      next: [
        `Go on: ${commandLine(program, [...planFlags(options), ...(options.fixIssues ? ['--fix-issues'] : [])])}`,
      ],
      checked,
    };
  }
  if (outcome === 'stalled') {
    return {
      status: 'failed',
      message: 'Another session has been holding what this needs for minutes.',
      next: ['Wait for it, or end it (pg_stat_activity shows it), and try again.'],
      checked,
    };
  }
  const undone = broken(answer);
  if (undone.length > 0) {
    return {
      status: 'failed',
      message: `${counted(undone.length, 'check')} could not be done. ${outcomeText(checked)}`,
      next: ['Fix the cause and check again.'],
      checked,
    };
  }
  const { errors, warnings, fixes_failed } = answer;
  const failing = errors > 0 || fixes_failed > 0 || (options.failOn === 'warning' && warnings > 0);
  return {
    status: failing ? 'findings' : isLeft(answer) ? 'left' : 'clean',
    message: outcomeText(checked),
    next: next(checked, options, program),
    checked,
  };
}

/** Where the migration stands comes first: what the checks found holds for what is there by now. */
function outcomeText(checked: Checked): string {
  const { answer } = checked;
  const outside = answer.progress && outsideText(answer.progress);
  return [
    answer.progress && isLeft(answer) && standingText(answer.progress),
    outside && `Checked is the cohort: ${outside}.`,
    foundText(checked),
  ]
    .filter(Boolean)
    .join(lineBreak);
}

function foundText({ answer, outcome, purpose }: Checked): string {
  const wrong = summary(answer);
  const nothing =
    broken(answer).length > 0
      ? 'The others found nothing.'
      : `Nothing is wrong${isLeft(answer) ? ' with the rest' : ''}.`;
  if (purpose === 'fix') {
    const fixed = answer.fixed > 0 ? `${counted(answer.fixed, 'finding')} fixed. ` : '';
    return `${fixed}${wrong ? `Still there: ${wrong}.` : nothing}`;
  }
  const untouched = purpose === 'preview' || outcome === 'declined' ? ' Nothing was changed.' : '';
  return `${wrong ? `Found: ${wrong}.` : nothing}${untouched}`;
}

function next({ answer, purpose }: Checked, options: Options, program: string): string[] {
  const command = (flag: string): string => commandLine(program, [...planFlags(options), flag]);
  const left = findings(answer).filter((check) => check.left > 0);
  const { progress } = answer;
  const standing = progress && isLeft(answer) ? progress : undefined;
  return [
    ...(standing ? standingSteps(standing, program, planFlags(options)) : []),
    ...(answer.phase === 'before' && answer.errors === 0 && !standing
      ? [`Migrate: ${commandLine(siblingName(program, 'migrate'), planFlags(options))}`]
      : []),
    ...(purpose !== 'fix' && left.some((check) => check.fixable)
      ? [`Fix what can be fixed: ${command('--fix-issues')}`]
      : []),
    // Objects are named in any case.
    ...(left.some((check) => check.findings.length === 0) && !options.detailed
      ? [`See keys: ${command('--detailed')}`]
      : []),
    ...(purpose === 'fix' && answer.fixed > 0
      ? ['The fixes are in the journal: a rollback takes them back like anything else.']
      : []),
  ];
}

/** What the ending is about. */
export interface Frame extends Traffic {
  options: Options;
}

/** The one object of `--json`. Names are stable; fields that there is nothing to say about are left out. */
export function toJson(frame: Frame, ending: Ending): Record<string, unknown> {
  const { checked } = ending;
  const answer = checked?.answer;
  return {
    type: 'result',
    action: 'validate',
    plan: frame.options.plan,
    target: frame.target,
    status: ending.status,
    exit_code: exitCodes[ending.status],
    message: ending.message,
    error: ending.error,
    next: ending.next,
    calls: frame.calls,
    retries: frame.retries,
    lost_replies: frame.lostReplies,
    duration_ms: checked?.durationMs,
    fail_on: frame.options.failOn,
    dry_run: checked && checked.purpose === 'preview',
    report: ending.report,
    ...(answer && {
      phase: answer.phase,
      complete: !answer.has_more,
      healthy: answer.healthy,
      errors: answer.errors,
      warnings: answer.warnings,
      manual: answer.manual,
      fixed: answer.fixed,
      fixes_failed: answer.fixes_failed,
      rows_read: answer.checked,
      progress: answer.progress ?? undefined,
      checks: answer.checks,
    }),
  };
}
