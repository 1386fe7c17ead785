/** The options of the actions on a plan, parsed and checked against each other. */
import { z } from 'zod';
import { readArguments } from '../command/arguments.ts';
import { UsageError } from '../command/usage.ts';
import { type Action, actionOf, actions, type CommandName } from './actions.ts';
import { dryRunModes, type FlagName, flagNames, flagText } from './flags.ts';
import { explainArgument, explainFlag } from './misplaced.ts';
import { parserOf } from './parser.ts';
import { requestMs } from './via-function.ts';

export type DryRunMode = (typeof dryRunModes)[number];

export interface Options {
  action: Action;
  plan: string;
  dryRun: DryRunMode;
  /** False with --no-backup: no undo journal, so no way back. */
  backup: boolean;
  batchSize?: number;
  maxMs?: number;
  workers?: number;
  user?: string;
  force: boolean;
  maxFailures?: string;
  onFailure?: 'stop' | 'rollback';
  /** Only some entities first, as SQL takes them. */
  cohort?: { percent?: number; keys?: string[]; names?: string[] };
  sample?: number;
  reset: boolean;
  dump?: string;
  /** Begin also where the forecast speaks against it. */
  despiteForecast?: boolean;
  /** Through the edge functions, instead of the SQL functions. */
  viaFunction: boolean;
  /** With --finalize: also where the old side holds what the new one does not. */
  allowDataLoss?: boolean;
  /** With --cleanup: the verification period, as SQL reads it. */
  olderThan?: string;
  /** With --finalize and --cleanup: --dry-run, which only shows what would be done. */
  preview?: boolean;
  /** Limits for all runs of the plan; undefined leaves each as it is, an empty one takes it back. */
  hours?: string;
  maxPerSecond?: number;
  throttleQuery?: string;
  ignoreSignal?: string[];
  /** With schedule: the interval, as SQL reads it. */
  every?: string;
  /** With schedule: the steps of finalize, instead of batches. */
  thenFinalize?: boolean;
  json: boolean;
  yes: boolean;
  verbose: boolean;
}

const parsedSchema = z.strictObject({
  plan: z.string(),
  statsOnly: z.boolean().optional(),
  /** True where it has no modes. */
  dryRun: z.union([z.enum(dryRunModes), z.literal(true).transform(() => 'sample' as const)]).optional(),
  rollback: z.boolean().optional(),
  user: z.string().optional(),
  force: z.boolean().optional(),
  pause: z.boolean().optional(),
  resume: z.boolean().optional(),
  cancel: z.boolean().optional(),
  retryFailed: z.boolean().optional(),
  watch: z.boolean().optional(),
  backup: z.boolean().default(true),
  batchSize: z.number().optional(),
  maxMs: z.number().optional(),
  workers: z.number().optional(),
  maxFailures: z.string().optional(),
  onFailure: z.enum(['stop', 'rollback']).optional(),
  percent: z.number().optional(),
  key: z.array(z.string()).optional(),
  cohort: z.array(z.string()).optional(),
  dump: z.string().min(1).optional(),
  despiteForecast: z.boolean().optional(),
  viaFunction: z.boolean().optional(),
  sample: z.number().optional(),
  reset: z.boolean().optional(),
  finalize: z.boolean().optional(),
  allowDataLoss: z.boolean().optional(),
  cleanup: z.boolean().optional(),
  olderThan: z.string().optional(),
  every: z.string().optional(),
  hours: z.string().optional(),
  maxPerSecond: z.number().optional(),
  throttleQuery: z.string().optional(),
  ignoreSignal: z.array(z.string()).optional(),
  json: z.boolean().optional(),
  yes: z.boolean().optional(),
  verbose: z.boolean().optional(),
});

type Parsed = z.output<typeof parsedSchema>;

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(
  argv: readonly string[],
  program: string,
  command: CommandName = 'migrate',
): Options {
  const reader = parserOf(command, program);
  const typed = readArguments(reader, argv, (flag) => explainFlag(flag, command, program));
  const [first, second] = reader.args;
  const excess = command === 'dry-run' ? second : first;
  if (excess !== undefined) throw explainArgument(excess, command, program);
  const parsed = parsedSchema.parse(typed);
  if (command === 'schedule') return settle({ ...parsed, finalize: false }, 'schedule', parsed.finalize);
  if (command === 'dry-run')
    return settle({ ...parsed, dryRun: dryRunModes.find((mode) => mode === first) ?? 'sample' });
  return settle(parsed, actionOf(command));
}

/** `action` is that of the command; in `migrate` a flag may choose another one. */
function settle(parsed: Parsed, command: Action = 'migrate', thenFinalize = false): Options {
  const given = (key: FlagName): boolean =>
    key === 'backup' ? !parsed.backup : parsed[key] !== undefined && parsed[key] !== false;

  // What cannot be taken back has a dry run of its own.
  const ends = [command, ...flagNames.filter(given)].some(
    (name) => name === 'finalize' || name === 'cleanup',
  );
  const chosen = (Object.keys(actions) as Action[]).filter((name) => {
    const { flag } = actions[name];
    if (name === 'rollback-user' || flag === undefined || !given(flag)) return false;
    return !(ends && name === 'dry-run');
  });
  if (chosen.length > 1) {
    throw new UsageError(`${chosen.map((name) => flagOf(name)).join(' and ')} exclude each other.`);
  }
  let action = chosen[0] ?? command;
  if (parsed.user !== undefined) {
    if (action !== 'rollback') throw new UsageError('--user takes one user back and needs --rollback.');
    action = 'rollback-user';
  }
  if (action === 'rollback-user' && parsed.plan !== 'avatars') {
    throw new UsageError(
      `--user is for the plan avatars. Of another plan one entity goes back in SQL: select rollback_entity('${parsed.plan}', '<key>').`,
    );
  }
  if (parsed.force && action !== 'rollback' && action !== 'rollback-user') {
    throw new UsageError('--force belongs to --rollback.', '--yes answers questions beforehand.');
  }

  const { flag: choice, takes } = actions[action];
  for (const key of flagNames) {
    if (!given(key) || key === choice || takes.includes(key)) continue;
    throw new UsageError(
      choice
        ? `${flagText(key)} cannot be combined with ${action === 'rollback-user' ? '--user' : flagText(choice)}.`
        : `${flagText(key)} cannot be used here.`,
    );
  }

  if (ends && given('dryRun') && parsed.dryRun !== 'sample') {
    throw new UsageError(`--dry-run takes no mode with ${flagOf(action)}.`);
  }
  const { maxMs } = parsed;
  if (parsed.viaFunction && maxMs !== undefined && (maxMs < requestMs.from || maxMs > requestMs.to)) {
    throw new UsageError(
      `With --via-function, --max-ms must be from ${requestMs.from} to ${requestMs.to.toLocaleString('en-US')}.`,
    );
  }

  const { batchSize, workers, user, maxFailures, onFailure, sample, dump, every } = parsed;
  const { percent, key: keys, cohort: names } = parsed;
  const { hours, maxPerSecond, throttleQuery, ignoreSignal } = parsed;
  return {
    action,
    plan: parsed.plan,
    dryRun: parsed.dryRun ?? 'sample',
    backup: parsed.backup,
    force: parsed.force ?? false,
    reset: parsed.reset ?? false,
    viaFunction: parsed.viaFunction ?? false,
    json: parsed.json ?? false,
    yes: parsed.yes ?? false,
    verbose: parsed.verbose ?? false,
    ...(batchSize !== undefined && { batchSize }),
    ...(maxMs !== undefined && { maxMs }),
    ...(workers !== undefined && { workers }),
    ...(user !== undefined && { user }),
    ...(maxFailures !== undefined && { maxFailures }),
    ...(onFailure !== undefined && { onFailure }),
    ...((percent !== undefined || keys || names) && {
      cohort: {
        ...(percent !== undefined && { percent }),
        ...(keys && { keys }),
        ...(names && { names }),
      },
    }),
    ...(sample !== undefined && { sample }),
    ...(dump !== undefined && { dump }),
    ...(every !== undefined && { every }),
    ...(hours !== undefined && { hours }),
    ...(maxPerSecond !== undefined && { maxPerSecond }),
    ...(throttleQuery !== undefined && { throttleQuery }),
    ...(ignoreSignal !== undefined && { ignoreSignal }),
    ...(parsed.despiteForecast && { despiteForecast: true }),
    ...(thenFinalize && { thenFinalize }),
    ...(parsed.allowDataLoss && { allowDataLoss: true }),
    ...(parsed.olderThan !== undefined && { olderThan: parsed.olderThan }),
    ...(ends && given('dryRun') && { preview: true }),
  };
}

function flagOf(action: Action): string | undefined {
  const { flag } = actions[action];
  return flag && flagText(flag);
}
