/** What people read of a dry run: before it starts, at its end, and of each stage. */
import type { DryRunAnswer, DryRunStage, FiredTrigger } from '../../functions/_shared/answers.ts';
import { counted, countedEntities, duration, whole } from '../command/figures.ts';
import { lineBreak } from '../command/printable.ts';
import type { Ending } from './ending.ts';
import { isWrong } from './findings.ts';

/** The command lines for what comes next. */
export interface Commands {
  migrate: string;
  /** This dry run, once more. */
  again: string;
}

type Verdict = Pick<Ending, 'status' | 'message' | 'next' | 'error'>;

/** What is locked, how, and for how long at most; nothing where the dry run will be refused. */
export function announcement(mode: string, { locks, limits, problems }: DryRunAnswer): string[] {
  if (!locks?.length || !limits || problems?.some(({ severity }) => severity === 'error')) return [];
  const longest = duration(mode === 'full' ? limits.full_ms : limits.sample_ms);
  const tables = locks.map(({ object }) => object).join(', ');
  const whole = locks.find(({ mode: lock }) => lock === 'ACCESS EXCLUSIVE');
  return [
    whole
      ? `The plan is prepared, tried and taken back in one transaction. For at most ${longest} it locks these tables (${whole.mode}: nobody else reads or writes them): ${tables}.`
      : `The plan is tried and taken back in one transaction. For at most ${longest} it locks the rows that it writes (${locks[0]?.mode}: others read them, and write all others): ${tables}.`,
    `It ends sooner when somebody has waited ${duration(limits.wait_ms)} for it.`,
  ];
}

const reasons: Record<NonNullable<DryRunStage['reason']>, string> = {
  time: 'time was up',
  waiters: 'somebody waited for its locks',
  held: 'the server was in trouble',
  locked: 'others hold them',
  failures: 'too many failures',
  error: 'an error',
  external: 'done outside of the database',
  earlier_stage: 'they need what an earlier stage moves',
};

const isLeft = ({ outcome }: DryRunStage) => outcome === 'part' || outcome === 'not_tried';

/** How much there is of something: `about 12,000 users`. */
function pendingOf(stage: DryRunStage): string {
  const all = Math.max(stage.pending, stage.tried);
  return `${stage.pending_is_estimate ? 'about ' : ''}${countedEntities(all, stage)}`;
}

/** `12,000 of 20,000 users (time was up)`; all of them where none was tried. */
function untried(stage: DryRunStage): string {
  const left = Math.max(0, stage.pending - stage.tried);
  const why = stage.reason ? ` (${reasons[stage.reason]})` : '';
  return `${stage.tried > 0 ? `${whole(left)} of ${pendingOf(stage)}` : pendingOf(stage)}${why}`;
}

/** A line for each stage; with what it would take to move all. */
export function stageLines({ stages }: DryRunAnswer): string[] {
  return (stages ?? []).map((stage) => {
    const name = stages?.length === 1 ? '' : `${stage.stage}. ${stage.entity_plural}: `;
    if (stage.outcome === 'nothing_pending') return `${name}nothing pending`;
    const figures = [
      `${whole(stage.tried)} of ${pendingOf(stage)}`,
      `${whole(stage.moved)} moved`,
      `${whole(stage.failed)} failed`,
      stage.locked > 0 && `${whole(stage.locked)} locked by others`,
      stage.unsure > 0 && `${whole(stage.unsure)} failed, perhaps for want of an earlier stage`,
      typeof stage.per_second === 'number' && `${whole(stage.per_second)}/s`,
    ];
    return name + figures.filter(Boolean).join(', ');
  });
}

/** What was not tried, and why; empty when everything was. */
export function untriedText({ stages }: DryRunAnswer): string {
  return (stages ?? []).filter(isLeft).map(untried).join(lineBreak);
}

/** The time for all, or why it is not known. */
export function estimateText({ estimate, stages, ...words }: DryRunAnswer): string | undefined {
  if (!estimate || !stages) return undefined;
  const unknown = stages.filter(({ stage }) => estimate.unknown_stages?.includes(stage));
  if (unknown.length > 0) {
    const names = unknown.map((stage) => stage.entity_plural).join(', ');
    return `not known: too little was tried of ${names}`;
  }
  if (estimate.total === 0) return undefined;
  const all = `${estimate.is_estimate ? 'about ' : ''}${countedEntities(estimate.total, words)}`;
  return `${all} in about ${duration(Number(estimate.seconds) * 1000)}, by one worker`;
}

/** A line for each trigger of the app that calls to the outside. */
export function callLines({ triggers }: DryRunAnswer): string[] {
  return (triggers ?? [])
    .filter(({ calls }) => calls.length > 0)
    .map(
      (one) =>
        `${one.calls.some((name) => name.includes('http')) ? 'webhook' : one.calls.join(', ')} ${foreseen(one, 'call')}`,
    );
}

/** A line for each of the others that fired. */
export function triggerLines({ triggers }: DryRunAnswer): string[] {
  return (triggers ?? []).filter(({ calls }) => calls.length === 0).map((one) => foreseen(one, 'time'));
}

/** `notify on public.users: 300 calls so far, about 20,000 for the run`. */
function foreseen(one: FiredTrigger, what: string): string {
  const { object, trigger, event, level, fired, is_most, estimate, asks_in_batch } = one;
  // A run writes with fewer and larger statements than what was tried.
  const most = is_most || level === 'statement';
  const all =
    typeof estimate === 'number'
      ? `${most ? 'at most' : 'about'} ${whole(estimate)} for the run`
      : 'for the run not known: too little was tried';
  return `${trigger} on ${object} (${event}): ${is_most ? 'at most ' : ''}${counted(fired, what)} so far, ${all}${asks_in_batch ? ' (its function asks imago.in_batch(), and may do nothing then)' : ''}`;
}

/** How it ends: exit code 0 only where everything that was tried has worked. */
export function verdict(answer: DryRunAnswer, { migrate, again }: Commands): Verdict {
  const { failed, findings, mode, problems, stages } = answer;
  if (answer.status === 'failed') {
    return {
      status: 'failed',
      message:
        answer.error?.code === 'IM020'
          ? `The dry run stopped after ${counted(failed, 'failure')}. Nothing was changed.`
          : 'The dry run failed. Nothing was changed.',
      next: [`Fix the cause, then try again: ${again}`],
      ...(answer.error && { error: answer.error }),
    };
  }
  if (mode === 'preflight') return preflightVerdict(problems ?? [], { migrate, again });

  const left = (stages ?? []).filter(isLeft);
  const not = left.length > 0 ? ` Not tried: ${left.map(untried).join('; ')}.` : '';
  if (failed > 0) {
    return {
      status: 'left',
      message: `${countedEntities(failed, answer)} would be set aside. Nothing was changed.${not}`,
      next: ['Fix the cause first, or migrate and retry them later.', `Migrate: ${migrate}`],
    };
  }
  if (findings?.some(isWrong)) {
    return {
      status: 'left',
      message:
        left.length === 0
          ? 'All are moved, but then the checks find something wrong. Nothing was changed.'
          : `The checks find something wrong, perhaps for want of what was not tried. Nothing was changed.${not}`,
      next: [`Look at the checks, then try again: ${again}`],
    };
  }
  const tried = (stages ?? []).reduce((sum, stage) => sum + stage.tried, 0);
  if (left.length === 0) {
    const all = `It works: ${countedEntities(tried, answer)} moved and taken back. Nothing was changed.`;
    const none = 'Nothing is left to be moved, so nothing was tried. Nothing was changed.';
    return tried > 0
      ? { status: 'done', message: all, next: [`Migrate: ${migrate}`] }
      : { status: 'done', message: none, next: [] };
  }
  // Who asks for everything, or gets nothing at all, has not got what they asked for.
  return {
    status: tried === 0 || mode === 'full' ? 'left' : 'done',
    message: `${
      tried > 0 ? `What was tried works: ${countedEntities(tried, answer)}.` : 'Nothing could be tried.'
    } Nothing was changed.${not}`,
    next: [...remedies(left, mode, again), `Migrate: ${migrate}`],
  };
}

/** What helps to see more. */
function remedies(left: DryRunStage[], mode: string | null | undefined, again: string): string[] {
  const has = (...wanted: DryRunStage['reason'][]) => left.some(({ reason }) => wanted.includes(reason));
  if (has('waiters', 'locked', 'held')) return [`Try again when fewer are at work: ${again}`];
  if (mode !== 'full') return [];
  return has('time')
    ? [`Give it more time (--max-ms, over DATABASE_URL), or try it on a copy of the database: ${again}`]
    : [];
}

function preflightVerdict(
  problems: NonNullable<DryRunAnswer['problems']>,
  { migrate, again }: Commands,
): Verdict {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  if (errors > 0) {
    return {
      status: 'left',
      message: `${counted(errors, 'problem')} must be fixed first. Nothing was changed.`,
      next: [`Then look again: ${again}`],
    };
  }
  const found =
    problems.length > 0
      ? `Nothing stands in the way; ${counted(problems.length, 'warning')}`
      : 'No problem found';
  return { status: 'done', message: `${found}. Nothing was changed.`, next: [`Migrate: ${migrate}`] };
}
