/** The actions on a run as a whole, and on one user. */
import { CallError } from '../call-error.ts';
import { counted } from '../command/figures.ts';
import { type Context, nextCommand } from './context.ts';
import type { Ending } from './ending.ts';
import { type Direction, work } from './work.ts';

const transitions = {
  pause: { call: 'pause_migration', reached: ['paused'] },
  resume: { call: 'resume_migration', reached: ['running'] },
  cancel: { call: 'cancel_migration', reached: ['cancelled'] },
  'retry-failed': { call: 'retry_failed_migrations', reached: ['running'] },
} as const;

/** Asks SQL for a transition; gives the state that it led to and which way the run goes. */
async function transit(
  context: Context,
  name: keyof typeof transitions,
): Promise<{ state: string; direction: Direction }> {
  const { caller, options, signal } = context;
  const { plan } = options;
  const { call, reached } = transitions[name];
  const lostBefore = caller.lostReplies;
  try {
    const { state, direction } = await caller.call(call, { plan }, signal);
    return { state: state ?? reached[0], direction: direction ?? 'forward' };
  } catch (error) {
    // The first try may have worked although its reply was lost; then the second one is refused for that very reason.
    if (caller.lostReplies === lostBefore || !(error instanceof CallError && error.code === 'IM008'))
      throw error;
    const { state, direction } = await caller.call('get_detailed_migration_progress', { plan }, signal);
    if (!(reached as readonly (string | null | undefined)[]).includes(state)) throw error;
    return { state: reached[0], direction: direction === 'rollback' ? 'rollback' : 'forward' };
  }
}

/** `--pause` and `--cancel`. */
export async function halt(context: Context, name: 'pause' | 'cancel'): Promise<Ending> {
  const { state } = await transit(context, name);
  const { plan } = context.options;
  const progress = await context.caller.call('get_detailed_migration_progress', { plan }, context.signal);
  return name === 'pause'
    ? {
        status: 'done',
        message: 'Paused.',
        next: [`Go on: ${nextCommand(context, '--resume')}`],
        state,
        progress,
      }
    : {
        status: 'done',
        message: 'Cancelled. What was moved stays moved.',
        next: [`Take it back: ${nextCommand(context, '--rollback')}`, `Start again: ${nextCommand(context)}`],
        state,
        progress,
      };
}

/** `--resume` and `--retry-failed`: the transition, then the batches that it makes possible. */
export async function resume(context: Context, name: 'resume' | 'retry-failed'): Promise<Ending> {
  const { state, direction } = await transit(context, name);
  context.terminal.info(name === 'resume' ? 'Resumed.' : 'What was set aside will be tried again.');
  return { ...(await work(context, direction)), state };
}

/** `--rollback --user`: one user, whole or not at all. */
export async function rollbackUser(context: Context): Promise<Ending> {
  const { caller, options, signal } = context;
  const answer = await caller.call(
    'rollback_user_migration',
    { user_id: options.user ?? '', ...(options.force && { force: true }) },
    signal,
  );
  if (!answer.rolled_back && answer.conflicts.length > 0) {
    return {
      status: 'left',
      message: `User ${options.user} stays as they are: ${counted(answer.conflicts.length, 'conflict')}.`,
      next: [
        ...(options.force
          ? ['Rows that others refer to are never removed: remove the references first.']
          : [
              `Restore over later changes: ${nextCommand(context, '--rollback', '--user', options.user ?? '', '--force')}`,
            ]),
      ],
      rolledBackUser: answer,
    };
  }
  if (!answer.rolled_back) {
    return {
      status: 'done',
      message: `User ${options.user} was not migrated: there is nothing to take back.`,
      next: [],
      rolledBackUser: answer,
    };
  }
  return {
    status: 'done',
    message: `User ${options.user} is taken back, and held: batches leave them alone.`,
    next: [],
    rolledBackUser: answer,
  };
}
