/** When and how fast the runs of a plan may work: shown, and set, by a command of its own or before a run. */
import { type ThrottleAnswer, throttleAnswer } from '../../functions/_shared/health.ts';
import { CallError } from '../call-error.ts';
import { notUnderstood } from '../client.ts';
import { limitsText } from '../command/health.ts';
import { commandLine, planFlags, siblingName } from '../command/invocation.ts';
import { limits } from './actions.ts';
import type { Context } from './context.ts';
import { directly } from './direct.ts';
import type { Ending } from './ending.ts';
import type { Options } from './options.ts';
import { takesFlags } from './spelling.ts';

/** `throttle`: sets what is typed, and shows what holds then. */
export async function throttle(context: Context): Promise<Ending> {
  const { caller, options, signal } = context;
  const answer = await setLimits(context);
  const progress = await caller.call('get_detailed_migration_progress', { plan: options.plan }, signal);
  const text = limitsText(progress.throttle, progress);
  const done = answer
    ? 'Set. It holds for every run of the plan, no matter who drives it.'
    : 'Nothing was changed.';
  return {
    status: 'done',
    message: text === undefined ? `${done} There are no limits.` : done,
    next:
      text === undefined
        ? []
        : [`Take a limit back by an empty value: ${throttleCommand(context, "--hours ''")}`],
    progress,
    ...(answer && { throttle: answer }),
  };
}

/** The command that shows and sets limits, as it is typed. */
export function throttleCommand({ options, program }: Context, ...flags: string[]): string {
  const name = takesFlags(program) ? 'npm run imago -- throttle' : siblingName(program, 'throttle');
  return commandLine(name, [...planFlags(options), ...flags]);
}

/** Whether a limit is typed. */
export function asksLimits(options: Options): boolean {
  return limits.some((name) => options[name] !== undefined);
}

/** Sets the limits that are typed, in one call; undefined where none is. */
export async function setLimits(context: Context): Promise<ThrottleAnswer | undefined> {
  const { caller, databaseUrl, options, signal, terminal } = context;
  if (!asksLimits(options)) return undefined;
  const { plan, hours, maxPerSecond, throttleQuery, ignoreSignal } = options;
  const args = {
    plan,
    ...(hours !== undefined && { hours }),
    ...(maxPerSecond !== undefined && { max_per_second: maxPerSecond }),
    ...(throttleQuery !== undefined && { throttle_query: throttleQuery }),
    ...(ignoreSignal !== undefined && { ignore: ignoreSignal }),
  };
  const answer =
    throttleQuery && databaseUrl !== undefined
      ? await overConnection(databaseUrl, args, context)
      : await caller.call('throttle_migration', args, signal);
  terminal.debug(`Limits set for plan ${plan}.`);
  return answer;
}

interface Arguments {
  plan: string;
  hours?: string;
  max_per_second?: number;
  throttle_query?: string;
  ignore?: string[];
}

const lockTimeoutMs = 5_000;

/** A query of the operator's own is taken only from a role that could run it itself, which the Data API's is not. */
async function overConnection(
  databaseUrl: string,
  { plan, hours, max_per_second, throttle_query, ignore }: Arguments,
  { terminal }: Context,
): Promise<ThrottleAnswer> {
  const sql = directly(databaseUrl, lockTimeoutMs, terminal);
  try {
    const [row] = await sql<{ answer: unknown }[]>`
      select public.throttle_migration(${plan}, ${hours ?? null}, ${max_per_second ?? null}::integer,
        ${throttle_query ?? null}, ${ignore ?? null}::text[]) as answer`;
    const parsed = throttleAnswer.safeParse(row?.answer);
    if (!parsed.success) throw notUnderstood('throttle_migration', parsed.error);
    return parsed.data;
  } catch (error) {
    if (error instanceof CallError) throw error;
    const { code = 'NETWORK', message, hint } = error as { code?: string; message: string; hint?: string };
    throw new CallError({
      code,
      message: code.startsWith('IM') ? message : `The limits could not be set over DATABASE_URL (${code}).`,
      hint: code.startsWith('IM') ? hint : 'Check host, port and password, and that it is the role postgres.',
    });
  } finally {
    await sql.end({ timeout: 1 });
  }
}
