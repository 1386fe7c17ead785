/** The actions that only look: figures, watching. */
import type { ProgressAnswer } from '../../functions/_shared/answers.ts';
import { conditionIn, conditionNotes } from '../command/health.ts';
import { pause } from '../command/retry.ts';
import { type Context, nextCommand } from './context.ts';
import type { Ending } from './ending.ts';
import { wrongAtEnd } from './findings.ts';
import { withoutGuideNames } from './guide-names.ts';
import { Progress } from './progress.ts';
import { othersLeft, setAside } from './work.ts';

/** `--stats-only`. Having read the figures is all that was asked for, so the exit code is 0 whatever they say. */
export async function stats(context: Context): Promise<Ending> {
  const { caller, options, signal } = context;
  const report = await caller.call('get_migration_report', { plan: options.plan }, signal);
  const { progress, statistics, performance } = report;
  return {
    status: 'done',
    message: 'Nothing was changed.',
    next: [suggestion(context, progress)],
    progress,
    ...(statistics && { statistics }),
    performance,
  };
}

function suggestion(context: Context, progress: ProgressAnswer): string {
  if (progress.phase === 'cleaned up') return 'Nothing is left to do.';
  if (progress.phase === 'finalized') return `Drop what remains of it: ${nextCommand(context, '--cleanup')}`;
  if (progress.phase === 'finalize') return `Go on with it: ${nextCommand(context, '--finalize')}`;
  if (progress.state === 'paused') return `Go on: ${nextCommand(context, '--resume')}`;
  if (unfinished.has(progress.state ?? '')) return goOn(context, progress);
  if (progress.state === 'failed') return failedNext(context, progress);
  if (progress.remaining > 0 || (progress.failed > 0 && progress.state === 'cancelled'))
    return `Migrate: ${nextCommand(context)}`;
  if (progress.failed > 0) return failedNext(context, progress);
  const [others] = othersLeft(context, progress)?.next ?? [];
  if (others !== undefined) return others;
  const isBack = progress.direction === 'rollback' && progress.state === 'succeeded';
  if (progress.state === 'none' || isBack) return 'Nothing is there to be migrated.';
  return `Take it back: ${nextCommand(context, '--rollback')}`;
}

/** A run that has failed does not go on by itself, whatever remains; only conflicts with later changes have no cause to fix. */
function failedNext(context: Context, { conflicts, direction, failed }: ProgressAnswer): string {
  if (direction === 'rollback' && conflicts > 0 && failed === 0)
    return `Restore over later changes: ${nextCommand(context, '--rollback', '--force')}`;
  return `Fix the cause, then: ${nextCommand(context, '--retry-failed')}`;
}

/** A run goes on in its own direction; the other one is refused. */
function goOn(context: Context, { direction }: ProgressAnswer): string {
  return `Go on with it: ${nextCommand(context, ...(direction === 'rollback' ? ['--rollback'] : []))}`;
}

const unfinished = new Set(['pending', 'running']);
const pollEveryMs = 1_000;

/** `--watch`: shows a run that somebody else drives, until it ends. */
export async function watch(context: Context): Promise<Ending> {
  const { caller, options, terminal, signal } = context;
  const { plan } = options;
  let progress = await caller.call('get_detailed_migration_progress', { plan }, signal);
  if (unfinished.has(progress.state ?? '') && !context.shared) {
    return {
      status: 'left',
      message: 'A run is unfinished, but nobody is driving it.',
      next: [goOn(context, progress)],
      progress,
    };
  }
  const shown = new Progress(terminal, { progress, workers: undefined });
  const note = conditionNotes(terminal);
  const started = performance.now();
  try {
    for (;;) {
      if (options.json)
        context.emit({
          type: 'progress',
          at: new Date().toISOString(),
          ...withoutGuideNames(plan, progress),
        });
      note(conditionIn(progress));
      shown.update({ progress });
      if (!unfinished.has(progress.state ?? '')) break;
      await pause(pollEveryMs, signal);
      // The reader of the lines has gone.
      if (process.stdout.destroyed) break;
      if (signal.aborted) {
        return { status: 'interrupted', message: 'Stopped watching; the run goes on.', next: [], progress };
      }
      progress = await caller.call('get_detailed_migration_progress', { plan }, signal);
    }
  } finally {
    shown.stop();
  }
  return { ...watched(context, progress), progress, durationMs: performance.now() - started };
}

function watched(context: Context, progress: ProgressAnswer): Ending {
  switch (progress.state) {
    case 'succeeded':
      return (
        wrongAtEnd(context, progress) ??
        othersLeft(context, progress) ?? { status: 'done', message: 'The run is finished.', next: [] }
      );
    case 'failed':
      if (progress.remaining === 0 && progress.failed > 0) return setAside(context, progress);
      return {
        status: 'failed',
        message: 'The run has failed.',
        next: [`Fix the cause, then: ${nextCommand(context, '--retry-failed')}`],
      };
    case 'paused':
      return {
        status: 'left',
        message: 'The run is paused.',
        next: [`Go on: ${nextCommand(context, '--resume')}`],
      };
    case 'cancelled':
      return {
        status: 'left',
        message: 'The run was cancelled.',
        next: [`Start again: ${nextCommand(context)}`],
      };
    default:
      return {
        status: 'left',
        message: 'No run is under way.',
        next: [`Start one: ${nextCommand(context)}`],
      };
  }
}
