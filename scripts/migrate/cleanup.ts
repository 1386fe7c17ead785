/** `--cleanup`: drops the journal and the log of a migration whose verification period is over. */
import type { CleanupAnswer } from '../../functions/_shared/finalizing.ts';
import { CallError } from '../call-error.ts';
import { ask } from '../command/ask.ts';
import { bytes, counted } from '../command/figures.ts';
import { lineBreak } from '../command/printable.ts';
import { backoffMs, pause } from '../command/retry.ts';
import { reasonOf, waitingNotes } from '../command/waiting.ts';
import { type Context, nextCommand } from './context.ts';
import type { Ending } from './ending.ts';

const patienceMs = 5 * 60_000;

/** What went, or would go. */
type Freed = Pick<CleanupAnswer, 'undo_tables' | 'log_rows' | 'batch_rows' | 'bytes_freed'>;

/** Shows what goes and how much space that frees, asks, and drops it. With --dry-run it only shows it. */
export async function cleanUp(context: Context): Promise<Ending> {
  const { caller, options, terminal, signal } = context;
  const args = {
    plan: options.plan,
    ...(options.olderThan !== undefined && { older_than: options.olderThan }),
  };
  let preview: CleanupAnswer;
  try {
    preview = await caller.call('cleanup_migration', { ...args, dry_run: true }, signal);
  } catch (error) {
    if (!(error instanceof CallError && error.code === 'IM040')) throw error;
    const { code, message, hint } = error;
    return {
      status: 'left',
      message: 'It cannot be cleaned up yet.',
      error: { code, message, hint },
      next: [],
    };
  }
  if (preview.state === 'cleaned up' && preview.bytes_freed === 0) {
    return {
      status: 'done',
      message: 'It is clean already. Nothing was changed.',
      next: [],
      cleanup: preview,
    };
  }
  terminal.info(`This goes for good: ${what(preview)}.`);
  for (const step of preview.list ?? []) terminal.info(`  ${step}`);
  if (options.preview) {
    return {
      status: 'done',
      message: `It would free ${bytes(preview.bytes_freed)}. Nothing was changed.`,
      next: [`Clean up: ${nextCommand(context, '--cleanup', ...olderThan(context))}`],
      cleanup: preview,
    };
  }
  const question = `Drop the journal of "${options.plan}"? Its way back is gone then.`;
  if (!options.yes && !(await ask(question, terminal, signal))) {
    return { status: signal.aborted ? 'interrupted' : 'declined', message: 'Nothing was changed.', next: [] };
  }
  return await drive(context, args);
}

function what({ undo_tables, log_rows, batch_rows, bytes_freed }: Freed): string {
  const parts = [
    counted(undo_tables, 'undo table'),
    counted(log_rows, 'line of the log', 'lines of the log'),
    counted(batch_rows, 'batch', 'batches'),
  ];
  return `${parts.join(', ')}, ${bytes(bytes_freed)} in all`;
}

function olderThan({ options }: Context): string[] {
  return options.olderThan === undefined ? [] : ['--older-than', `'${options.olderThan}'`];
}

async function drive(context: Context, args: { plan: string; older_than?: string }): Promise<Ending> {
  const { caller, terminal, signal } = context;
  const again = `Go on: ${nextCommand(context, '--cleanup', ...olderThan(context))}`;
  const startedAt = performance.now();
  const freed: Freed = { undo_tables: 0, log_rows: 0, batch_rows: 0, bytes_freed: 0 };
  const warnings: string[] = [];
  let movedAt = performance.now();
  let waited = 0;
  const noteWaiting = waitingNotes(terminal);
  for (;;) {
    if (signal.aborted) {
      return { status: 'interrupted', message: 'Stopped between two steps.', next: [again] };
    }
    const answer = await caller.call('cleanup_migration', args, signal);
    noteWaiting(reasonOf(answer));
    if (answer.state === 'waiting') {
      movedAt = performance.now();
      await pause(answer.retry_after_ms, signal);
      continue;
    }
    if (answer.state === 'busy') {
      if (performance.now() - movedAt > patienceMs) {
        return {
          status: 'left',
          message: 'Another transaction holds a table that is needed.',
          next: [again],
        };
      }
      waited += 1;
      await pause(backoffMs(waited), signal);
      continue;
    }
    movedAt = performance.now();
    waited = 0;
    for (const name of Object.keys(freed) as (keyof Freed)[]) freed[name] += answer[name];
    warnings.push(...answer.warnings);
    if (answer.step) terminal.info([`Done: ${answer.step}`, ...answer.warnings].join(`${lineBreak}  `));
    if (!answer.has_more) {
      return {
        status: 'done',
        message: `Cleaned up: ${what(freed)}.`,
        next: [],
        cleanup: { ...answer, ...freed },
        warnings,
        durationMs: performance.now() - startedAt,
      };
    }
  }
}
