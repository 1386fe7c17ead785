/** `--finalize`: ends a migration for good, one step a call. */
import {
  type FinalizeAnswer,
  type FinalizeStep,
  finalizeAnswer,
} from '../../functions/_shared/finalizing.ts';
import { CallError } from '../call-error.ts';
import { ask } from '../command/ask.ts';
import { counted } from '../command/figures.ts';
import { problemOf } from '../command/problem.ts';
import { backoffMs, pause } from '../command/retry.ts';
import type { Terminal } from '../command/terminal.ts';
import { reasonOf, waitingNotes } from '../command/waiting.ts';
import { type Context, nextCommand } from './context.ts';
import { directly, notConnected, pastDirect } from './direct.ts';
import type { Ending } from './ending.ts';
import { validateCommand } from './findings.ts';

/** So long a lock may be missed, or another caller be at work, before the command gives up. */
const patienceMs = 5 * 60_000;

/** What stands in the way until more is migrated: the kinds of obstacles that this command removes. */
const migrating = new Set(['not_migrated', 'unfinished_run', 'set_aside', 'in_conflict', 'pending']);

/** Shows the steps, asks, and goes through them. With --dry-run it only shows them. */
export async function finalize(context: Context): Promise<Ending> {
  const { options, terminal, signal } = context;
  const preview = await look(context);
  const list = preview.list ?? [];
  if (preview.state === 'finalized') {
    return {
      status: 'done',
      message: `The plan "${options.plan}" is finalized. Nothing was changed.`,
      next: [`Drop what remains of it: ${nextCommand(context, '--cleanup')}`],
      finalize: preview,
    };
  }
  if (preview.obstacles?.length) return hindered(context, preview);
  terminal.info(
    preview.closed ? 'These steps are left:' : 'These steps come, each in a transaction of its own:',
  );
  for (const step of list.filter(({ done }) => !done)) terminal.info(line(step));
  if (options.preview) {
    return {
      status: 'done',
      message: 'Nothing stands in the way but the checks, which are gone through first. Nothing was changed.',
      next: [`See them: ${validateCommand(context)}`, `Finalize: ${nextCommand(context, '--finalize')}`],
      finalize: preview,
    };
  }
  const question = `Finalize the migration "${options.plan}"${options.allowDataLoss ? ', also where values are lost (--allow-data-loss)' : ''}? It cannot be rolled back afterwards.`;
  if (!options.yes && !(await ask(question, terminal, signal))) {
    return { status: signal.aborted ? 'interrupted' : 'declined', message: 'Nothing was changed.', next: [] };
  }
  const startedAt = performance.now();
  const ending = await drive(context);
  return { ...ending, durationMs: performance.now() - startedAt };
}

async function look({ caller, options, signal }: Context): Promise<FinalizeAnswer> {
  return await caller.call('finalize_migration', { plan: options.plan, dry_run: true }, signal);
}

function line({ number, name, direct, statement, closes }: FinalizeStep): string {
  const how = direct ? ` (outside a transaction where needed: ${statement})` : '';
  return `  ${number}. ${name}${how}${closes ? ', and from here on nothing can be rolled back' : ''}`;
}

function hindered(context: Context, preview: FinalizeAnswer): Ending {
  const obstacles = preview.obstacles ?? [];
  return {
    status: 'left',
    message: `It cannot be finalized yet: ${obstacles.map(({ reason }) => reason).join('; ')}. Nothing was changed.`,
    next: [
      ...new Set(obstacles.map(({ remedy }) => remedy)),
      ...(obstacles.some(({ kind }) => migrating.has(kind)) ? [`Here: ${nextCommand(context)}`] : []),
    ],
    finalize: preview,
  };
}

/** Calls until it is finalized, refused, or interrupted. */
async function drive(context: Context): Promise<Ending> {
  const { terminal, signal } = context;
  let said: string | undefined;
  let waited = 0;
  const noteWaiting = waitingNotes(terminal);
  let movedAt = performance.now();
  const warnings: string[] = [];
  for (;;) {
    if (signal.aborted) return interrupted(context);
    let answer: FinalizeAnswer | undefined;
    try {
      answer = await oneCall(context);
    } catch (error) {
      if (signal.aborted) return interrupted(context);
      return { ...refused(context, error), warnings };
    }
    if (!answer) return interrupted(context);
    noteWaiting(reasonOf(answer));
    if (answer.state === 'waiting') {
      movedAt = performance.now();
      await pause(answer.retry_after_ms, signal);
      continue;
    }
    if (answer.state === 'busy') {
      if (performance.now() - movedAt > patienceMs) return stalled(context);
      waited += 1;
      if (waited === 1) terminal.info('Waiting for a lock, or for another caller …');
      await pause(backoffMs(waited), signal);
      continue;
    }
    movedAt = performance.now();
    waited = 0;
    warnings.push(...answer.warnings);
    for (const warning of answer.warnings) terminal.warn(warning);
    const now = progressOf(answer);
    if (answer.step && now !== said) terminal.info(now);
    said = now;
    if (!answer.has_more) {
      return {
        status: 'done',
        message: `The migration "${context.options.plan}" is finalized.`,
        next: [`After the verification period: ${nextCommand(context, '--cleanup')}`],
        finalize: answer,
        warnings,
      };
    }
  }
}

function progressOf({ state, step, step_number, steps, percentage }: FinalizeAnswer): string {
  const which = `${step_number ?? ''} of ${steps}, ${step}`;
  if (state === 'checking') return `Checking, ${Math.floor(percentage ?? 0)} % …`;
  if (state !== 'working') return `Done: ${which}`;
  return `Working: ${which}${percentage == null ? '' : `, ${Math.floor(percentage)} %`} …`;
}

/** One call, over DATABASE_URL where it does not fit one of the API. */
async function oneCall(context: Context): Promise<FinalizeAnswer | undefined> {
  const { caller, options, signal, databaseUrl, terminal } = context;
  const args = { plan: options.plan, ...(options.allowDataLoss && { allow_data_loss: true }) };
  try {
    return await pastDirect(context, 'finalize', () => caller.call('finalize_migration', args, signal));
  } catch (error) {
    const tooLong = error instanceof CallError && error.code === 'IM058';
    if (!tooLong || databaseUrl === undefined) throw error;
    terminal.info('That does not fit a call of the API: over DATABASE_URL instead …');
    return await withoutTimeout(databaseUrl, terminal, args);
  }
}

async function withoutTimeout(
  databaseUrl: string,
  terminal: Terminal,
  { plan, allow_data_loss = false }: { plan: string; allow_data_loss?: boolean },
): Promise<FinalizeAnswer> {
  const sql = directly(databaseUrl, 0, terminal);
  try {
    const [row] = await sql<
      { answer: unknown }[]
    >`select public.finalize_migration(${plan}, ${allow_data_loss}) as answer`;
    return finalizeAnswer.parse(row?.answer);
  } catch (error) {
    if (error instanceof CallError) throw error;
    const { code, message, hint } = error as { code?: string; message: string; hint?: string };
    if (!code?.startsWith('IM'))
      throw new CallError({ code: code ?? 'NETWORK', message: 'The call over DATABASE_URL failed.' });
    throw new CallError({ code, message, hint });
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const again = (context: Context): string =>
  nextCommand(context, '--finalize', ...(context.options.allowDataLoss ? ['--allow-data-loss'] : []));

function interrupted(context: Context): Ending {
  return {
    status: 'interrupted',
    message: 'Stopped between two steps. Nothing is half done.',
    next: [`Go on: ${again(context)}`],
  };
}

function stalled(context: Context): Ending {
  return {
    status: 'left',
    message: `No lock was granted for ${counted(patienceMs / 60_000, 'minute')}: another transaction holds a table that is needed.`,
    next: ['End that transaction (pg_stat_activity shows it).', `Then go on: ${again(context)}`],
  };
}

function refused(context: Context, error: unknown): Ending {
  const problem = problemOf(error);
  const left = (message: string, ...next: string[]): Ending => ({
    status: 'left',
    message,
    error: problem,
    next,
  });
  switch (problem.code) {
    case 'IM038':
      return left(
        'It cannot be finalized yet.',
        `See what is wrong: ${validateCommand(context)}`,
        `Then go on: ${again(context)}`,
      );
    case 'IM042':
      return notConnected(problem, again(context));
    case 'IM043':
      return left(
        'It would lose data.',
        `Accept the loss: ${nextCommand(context, '--finalize', '--allow-data-loss')}`,
      );
    default:
      return {
        status: 'failed',
        message: 'A step failed. It was taken back whole; those before it stay done.',
        error: problem,
        next: [`Once that is fixed, go on: ${again(context)}`],
      };
  }
}
