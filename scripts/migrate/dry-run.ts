/** `--dry-run`: runs a migration and takes it back; `preflight` only looks. */
import { type DryRunAnswer, dryRunAnswer } from '../../functions/_shared/answers.ts';
import { CallError } from '../call-error.ts';
import { type Context, nextCommand } from './context.ts';
import { directly } from './direct.ts';
import { announcement, type Commands, verdict } from './dry-run-words.ts';
import type { Ending } from './ending.ts';
import type { Options } from './options.ts';
import { cohortFlags } from './resuming.ts';

interface Arguments {
  plan: string;
  mode: string;
  batch_size?: number;
  max_ms?: number;
  cohort?: NonNullable<Options['cohort']>;
}

/** What a full dry run gets through the API, whose calls end after a minute at the latest. */
const fullByApiMs = 45_000;

export async function dryRun(context: Context): Promise<Ending> {
  const { caller, options, signal, terminal } = context;
  const { plan, batchSize, maxMs, dryRun: mode, cohort } = options;
  const args: Arguments = {
    plan,
    mode,
    ...(batchSize !== undefined && { batch_size: batchSize }),
    ...(maxMs !== undefined && { max_ms: maxMs }),
    ...(cohort && { cohort }),
  };
  const direct = mode === 'full' && !options.viaFunction ? context.databaseUrl : undefined;
  if (mode === 'full' && !direct) args.max_ms ??= fullByApiMs;
  const startedAt = performance.now();
  const looked =
    mode === 'preflight'
      ? undefined
      : await caller.call('dry_run_migration', { ...args, mode: 'preflight' }, signal);
  for (const line of looked ? announcement(mode, looked) : []) terminal.info(line);
  if (signal.aborted) return { status: 'interrupted', message: 'Stopped. Nothing was changed.', next: [] };
  const answer = direct
    ? await dryRunDirectly(direct, args, looked?.limits?.full_ms ?? fullByApiMs, context)
    : await caller.call('dry_run_migration', args, signal);
  return { ...verdict(answer, commands(context)), dryRun: answer, durationMs: performance.now() - startedAt };
}

function commands(context: Context): Commands {
  const cohort = cohortFlags(context.options);
  const again = nextCommand(context, `--dry-run=${context.options.dryRun}`, ...cohort);
  return { migrate: nextCommand(context, ...cohort), again };
}

/** All of it in one transaction fits no API call on a real database, so a database connection is used where one is known. */
async function dryRunDirectly(
  databaseUrl: string,
  args: Arguments,
  limitMs: number,
  { signal, terminal }: Context,
): Promise<DryRunAnswer> {
  const sql = directly(databaseUrl, 0, terminal);
  try {
    const answer = await sql.begin(async (tx) => {
      // It stops beginning work in time; whatever does not end by itself then is ended.
      await tx`select set_config('statement_timeout', ${String(2 * limitMs + 10_000)}, true)`;
      // A server that does not look for it would go on for a command that was killed. Not every platform can.
      await tx`
        do $$ begin perform set_config('client_connection_check_interval', '1s', true); exception when others then null; end $$`;
      const query = tx<{ answer: unknown }[]>`
        select public.dry_run_migration(plan => ${args.plan}, mode => ${args.mode},
          batch_size => ${args.batch_size ?? null}, max_ms => ${args.max_ms ?? null}, cohort => ${args.cohort ? tx.json(args.cohort) : null}) as answer`;
      const cancel = () => query.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      const [row] = await query.finally(() => signal.removeEventListener('abort', cancel));
      return row?.answer;
    });
    return dryRunAnswer.parse(answer);
  } catch (error) {
    if (error instanceof CallError) throw error;
    const { code, message, hint } = error as { code?: string; message: string; hint?: string };
    throw new CallError({
      code: code ?? 'NETWORK',
      message: code?.startsWith('IM')
        ? message
        : `The dry run over DATABASE_URL failed (${code ?? 'no reason given'}).`,
      hint,
    });
  } finally {
    await sql.end({ timeout: 1 });
  }
}
