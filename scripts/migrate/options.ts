/** The options of `npm run migrate`, parsed and checked against each other. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { UsageError } from './usage.ts';

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
  | 'retry-failed';

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
  json: boolean;
  yes: boolean;
  verbose: boolean;
}

/** --help was asked for and printed. */
export class HelpShown extends Error {
  override readonly name = 'HelpShown';
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
  npm run -s migrate -- --json --yes                for scripts: one JSON object on stdout

Environment (also from .env): SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY,
  DATABASE_URL (--dump), PG_DUMP, MIGRATION_BATCH_SIZE, MIGRATION_LOG_LEVEL (debug, info, warn, error).

Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 work or failures left, 130 interrupted.`;

function wholeNumber(from: number, to: number) {
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(from).max(to));
  return (value: string): number => {
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      throw new InvalidArgumentError(
        `It must be a whole number from ${from} to ${to.toLocaleString('en-US')}.`,
      );
    }
    return parsed.data;
  };
}

function uuid(value: string): string {
  const parsed = z.guid().safeParse(value);
  if (!parsed.success) throw new InvalidArgumentError('It must be the id of a user, a UUID.');
  return parsed.data;
}

function planName(value: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(value)) return value;
  throw new InvalidArgumentError('It must be the name of a plan, like avatars.');
}

function failureLimit(value: string): string {
  const percentage = /^(\d+(?:\.\d+)?)%$/.exec(value);
  if (percentage ? Number(percentage[1]) <= 100 : /^\d{1,9}$/.test(value)) return value;
  throw new InvalidArgumentError('It must be a number of users, like 250, or a percentage, like 2%.');
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
    .option('--watch', "show the progress of somebody else's run")
    .option('--no-backup', 'write no undo journal; then there is no rollback')
    .option(
      '--batch-size <n>',
      'users per batch, 1 to 10000 (default: as many as fit the time)',
      wholeNumber(1, 10_000),
    )
    .option('--max-ms <n>', 'time budget of one call in milliseconds', wholeNumber(1, 600_000))
    .option('--workers <n>', 'batches at the same time (default: 2, on one CPU 1)', wholeNumber(1, 64))
    .option(
      '--max-failures <n|p%>',
      'set aside so many users at most, then stop (default: 1%, at least 100)',
      failureLimit,
    )
    .addOption(new Option('--on-failure <what>', 'what to do then').choices(['stop', 'rollback']))
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
  sample: z.number().optional(),
  reset: z.boolean().optional(),
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
  sample: '--sample',
  reset: '--reset',
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
  rollback: ['force', 'maxMs', 'workers', 'dump'],
  'rollback-user': ['user', 'force', 'dump'],
  'dry-run': ['batchSize', 'maxMs', 'sample', 'reset'],
  stats: [],
  watch: [],
  pause: [],
  cancel: [],
};

/** Parses the arguments (without node and script). Throws {@link UsageError} or {@link HelpShown}. */
export function parseOptions(argv: readonly string[], name: string): Options {
  const command = parser(name).exitOverride();
  let complaint = '';
  command.configureOutput({
    writeErr: (text) => {
      complaint += text;
    },
  });
  try {
    command.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new HelpShown();
    const message = (complaint || error.message).replace(/^error: /, '').trim();
    throw new UsageError(message, `${name}${name.startsWith('npm') ? ' --' : ''} --help lists the options.`);
  }
  return settle(parsedSchema.parse(command.opts()));
}

function settle(parsed: Parsed): Options {
  const given = (key: keyof Parsed): boolean =>
    key === 'backup' ? !parsed.backup : parsed[key] !== undefined && parsed[key] !== false;

  const chosen = (Object.keys(actions) as (keyof Parsed)[]).filter(given);
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
    throw new UsageError('--user is for the plan avatars: the users of other plans are not its entities.');
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

  const { batchSize, maxMs, workers, user, maxFailures, onFailure, sample, dump } = parsed;
  return {
    action,
    plan: parsed.plan,
    dryRun: parsed.dryRun ?? 'sample',
    backup: parsed.backup,
    force: parsed.force ?? false,
    reset: parsed.reset ?? false,
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
  };
}
