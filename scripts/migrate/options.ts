/** The options of `npm run migrate`, parsed and checked against each other. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { maxFailures } from '../../functions/_shared/requests.ts';
import { planName, readArguments, wholeNumber } from '../command/arguments.ts';
import { UsageError } from '../command/usage.ts';
import { requestMs } from './via-function.ts';

/** What one invocation does. Exactly one of these. */
export type Action =
  | 'migrate'
  | 'rollback'
  | 'rollback-user'
  | 'dry-run'
  | 'stats'
  | 'watch'
  | 'pause'
  | 'resume'
  | 'cancel'
  | 'retry-failed'
  | 'finalize'
  | 'cleanup';

export type DryRunMode = 'sample' | 'full' | 'preflight';

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
  sample?: number;
  reset: boolean;
  dump?: string;
  /** Through the edge functions, instead of the SQL functions. */
  viaFunction: boolean;
  /** With --finalize: also where the old side holds what the new one does not. */
  allowDataLoss?: boolean;
  /** With --cleanup: the verification period, as SQL reads it. */
  olderThan?: string;
  /** With --finalize and --cleanup: --dry-run, which only shows what would be done. */
  preview?: boolean;
  json: boolean;
  yes: boolean;
  verbose: boolean;
}

const examples = `
Examples:
  npm run migrate                                   on an embedded Supabase with sample data
  npm run migrate -- --dry-run                      what would happen, on a sample, taken back
  npm run migrate -- --stats-only                   how far it is
  npm run migrate -- --workers 4 --max-failures 2%  on the project that SUPABASE_URL names
  npm run migrate -- --rollback                     take everything back
  npm run migrate -- --rollback --user <uuid>       take one user back
  npm run migrate -- --retry-failed                 try again what was set aside
  npm run migrate -- --finalize                     end it for good: no rollback afterwards
  npm run migrate -- --cleanup                      a month later: drop the journal
  npm run -s migrate -- --json --yes                for scripts: one JSON object on stdout

Environment (also from .env): SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY,
  DATABASE_URL (--dump, direct steps), PG_DUMP, MIGRATION_BATCH_SIZE, MIGRATION_LOG_LEVEL (debug, info, warn, error).

Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 work or failures left, 130 interrupted.`;

function uuid(value: string): string {
  const parsed = z.guid().safeParse(value);
  if (!parsed.success) throw new InvalidArgumentError('It must be the id of a user, a UUID.');
  return parsed.data;
}

function failureLimit(value: string): string {
  if (maxFailures.safeParse(value).success) return value;
  throw new InvalidArgumentError('It must be a number, like 250, or a percentage, like 2%.');
}

function period(value: string): string {
  if (/^\d{1,6} ?(minute|hour|day|week|month|year)s?$/.test(value)) return value;
  throw new InvalidArgumentError("It must be a period, like '30 days'.");
}

/** The option parser; also what `--help` shows. */
function parser(name: string): Command {
  return new Command(name)
    .usage(name.startsWith('npm') ? '-- [options]' : '[options]')
    .description(
      'Runs a migration plan in batches, forward or back, and can be stopped and resumed at any time.',
    )
    .option('--plan <name>', 'the plan to run', planName, 'avatars')
    .option('--stats-only', 'print the figures, change nothing')
    .addOption(
      new Option('--dry-run [mode]', 'run it and take it back; preflight only looks')
        .choices(['sample', 'full', 'preflight'])
        .preset('sample'),
    )
    .option('--rollback', 'take the migration back')
    .option('--user <id>', 'with --rollback: this user only', uuid)
    .option('--force', 'with --rollback: restore over later edits as well')
    .option('--pause', 'let the run rest')
    .option('--resume', 'end the rest and go on')
    .option('--cancel', 'end the run where it is')
    .option('--retry-failed', 'try again what was set aside')
    .option('--finalize', 'end the migration for good, step by step; with --dry-run only show the steps')
    .option('--allow-data-loss', 'with --finalize: also where the old side holds what the new one does not')
    .option(
      '--cleanup',
      'drop journal and log after the verification period; with --dry-run only say how much',
    )
    .option('--older-than <period>', "with --cleanup: the verification period (default: '30 days')", period)
    .option('--watch', "show the progress of somebody else's run")
    .option('--no-backup', 'write no undo journal; then there is no rollback')
    .option(
      '--batch-size <n>',
      'entities per batch, 1 to 10000 (default: as many as fit the time)',
      wholeNumber(1, 10_000),
    )
    .option('--max-ms <n>', 'time budget of one call in milliseconds', wholeNumber(1, 600_000))
    .option('--workers <n>', 'batches at the same time (default: 2, on one CPU 1)', wholeNumber(1, 64))
    .option(
      '--max-failures <n|p%>',
      'set aside so many at most, then stop (default: 1%, at least 100)',
      failureLimit,
    )
    .addOption(new Option('--on-failure <what>', 'what to do then').choices(['stop', 'rollback']))
    .option('--via-function', 'call the edge functions migrate and rollback instead of SQL')
    .option('--dump <file>', 'take a full logical backup with pg_dump first')
    .option('--sample <n>', 'embedded only: number of users in the sample app', wholeNumber(0, 10_000_000))
    .option('--reset', 'embedded only: start over with a fresh database')
    .option('--json', 'one JSON object on stdout; with --watch a line for each step as well')
    .option('-y, --yes', 'do not ask')
    .option('--verbose', 'show each call with its duration')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', examples);
}

const parsedSchema = z.object({
  plan: z.string(),
  statsOnly: z.boolean().optional(),
  dryRun: z.enum(['sample', 'full', 'preflight']).optional(),
  rollback: z.boolean().optional(),
  user: z.string().optional(),
  force: z.boolean().optional(),
  pause: z.boolean().optional(),
  resume: z.boolean().optional(),
  cancel: z.boolean().optional(),
  retryFailed: z.boolean().optional(),
  watch: z.boolean().optional(),
  backup: z.boolean(),
  batchSize: z.number().optional(),
  maxMs: z.number().optional(),
  workers: z.number().optional(),
  maxFailures: z.string().optional(),
  onFailure: z.enum(['stop', 'rollback']).optional(),
  dump: z.string().min(1).optional(),
  viaFunction: z.boolean().optional(),
  sample: z.number().optional(),
  reset: z.boolean().optional(),
  finalize: z.boolean().optional(),
  allowDataLoss: z.boolean().optional(),
  cleanup: z.boolean().optional(),
  olderThan: z.string().optional(),
  json: z.boolean().optional(),
  yes: z.boolean().optional(),
  verbose: z.boolean().optional(),
});

type Parsed = z.output<typeof parsedSchema>;

/** The flag that each option is typed as, in messages. */
const flags: Partial<Record<keyof Parsed, string>> = {
  statsOnly: '--stats-only',
  dryRun: '--dry-run',
  rollback: '--rollback',
  user: '--user',
  force: '--force',
  pause: '--pause',
  resume: '--resume',
  cancel: '--cancel',
  retryFailed: '--retry-failed',
  watch: '--watch',
  backup: '--no-backup',
  batchSize: '--batch-size',
  maxMs: '--max-ms',
  workers: '--workers',
  maxFailures: '--max-failures',
  onFailure: '--on-failure',
  dump: '--dump',
  viaFunction: '--via-function',
  sample: '--sample',
  reset: '--reset',
  finalize: '--finalize',
  allowDataLoss: '--allow-data-loss',
  cleanup: '--cleanup',
  olderThan: '--older-than',
};

/** The options that choose the action; none of them means: migrate. */
const actions: Partial<Record<keyof Parsed, Action>> = {
  statsOnly: 'stats',
  dryRun: 'dry-run',
  rollback: 'rollback',
  pause: 'pause',
  resume: 'resume',
  cancel: 'cancel',
  retryFailed: 'retry-failed',
  finalize: 'finalize',
  cleanup: 'cleanup',
  watch: 'watch',
};

const driving = [
  'batchSize',
  'maxMs',
  'workers',
  'backup',
  'maxFailures',
  'onFailure',
  'dump',
  'viaFunction',
  'sample',
] as const;

/**
 * What each action can make use of. An option that would be ignored is refused instead: who types
 * `--stats-only --reset` means something, and neither reading of it is safe to guess.
 */
const usable: Record<Action, readonly (keyof Parsed)[]> = {
  migrate: [...driving, 'reset'],
  resume: driving,
  'retry-failed': driving,
  rollback: ['force', 'maxMs', 'workers', 'dump', 'viaFunction'],
  'rollback-user': ['user', 'force', 'dump', 'viaFunction'],
  'dry-run': ['batchSize', 'maxMs', 'viaFunction', 'sample', 'reset'],
  stats: [],
  watch: [],
  pause: ['viaFunction'],
  cancel: ['viaFunction'],
  finalize: ['allowDataLoss', 'dryRun'],
  cleanup: ['olderThan', 'dryRun'],
};

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  return settle(parsedSchema.parse(readArguments(parser(name), argv)));
}

function settle(parsed: Parsed): Options {
  const given = (key: keyof Parsed): boolean =>
    key === 'backup' ? !parsed.backup : parsed[key] !== undefined && parsed[key] !== false;

  // What cannot be taken back has a dry run of its own.
  const ends = given('finalize') || given('cleanup');
  const chosen = (Object.keys(actions) as (keyof Parsed)[]).filter(
    (key) => given(key) && !(ends && key === 'dryRun'),
  );
  if (chosen.length > 1) {
    throw new UsageError(`${chosen.map((key) => flags[key]).join(' and ')} exclude each other.`);
  }
  const first = chosen[0];
  let action: Action = (first && actions[first]) ?? 'migrate';
  if (parsed.user !== undefined && action === 'rollback') action = 'rollback-user';
  if (parsed.user !== undefined && action !== 'rollback-user') {
    throw new UsageError('--user takes one user back and needs --rollback.');
  }
  if (action === 'rollback-user' && parsed.plan !== 'avatars') {
    throw new UsageError(
      `--user is for the plan avatars. Of another plan one entity goes back in SQL: select rollback_entity('${parsed.plan}', '<key>').`,
    );
  }
  if (parsed.force && action !== 'rollback' && action !== 'rollback-user') {
    throw new UsageError('--force belongs to --rollback.', '--yes answers questions beforehand.');
  }

  for (const key of Object.keys(flags) as (keyof Parsed)[]) {
    if (!given(key) || key === first || usable[action].includes(key)) continue;
    throw new UsageError(
      first ? `${flags[key]} cannot be combined with ${flags[first]}.` : `${flags[key]} cannot be used here.`,
    );
  }

  if (ends && given('dryRun') && parsed.dryRun !== 'sample') {
    throw new UsageError(`--dry-run takes no mode with ${first && flags[first]}.`);
  }
  const { maxMs } = parsed;
  if (parsed.viaFunction && maxMs !== undefined && (maxMs < requestMs.from || maxMs > requestMs.to)) {
    throw new UsageError(
      `With --via-function, --max-ms must be from ${requestMs.from} to ${requestMs.to.toLocaleString('en-US')}.`,
    );
  }

  const { batchSize, workers, user, maxFailures, onFailure, sample, dump } = parsed;
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
    ...(sample !== undefined && { sample }),
    ...(dump !== undefined && { dump }),
    ...(parsed.allowDataLoss && { allowDataLoss: true }),
    ...(parsed.olderThan !== undefined && { olderThan: parsed.olderThan }),
    ...(ends && given('dryRun') && { preview: true }),
  };
}
