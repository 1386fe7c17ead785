/** What `--help` says of each command: what it does, and examples. */
import { exampleText } from '../command/invocation.ts';
import { type CommandName, flagsOf } from './actions.ts';

interface Help {
  /** One line in the list of commands. */
  says: string;
  /** What has to be known besides. */
  more?: string;
  examples: readonly (readonly [flags: string, text: string])[];
}

const retryHint = 'What has to be fixed: select entity, sqlstate, detail from migration_log.';

export const helpOf: Record<CommandName, Help> = {
  migrate: {
    says: 'run a migration plan in batches; can be stopped and resumed at any time',
    examples: [
      ['', 'on an embedded Supabase with sample data, or the project that SUPABASE_URL names'],
      ['--dry-run', 'what would happen, on a sample, taken back'],
      ['--workers 4 --max-failures 2%', 'four batches at once; stop past two percent of failures'],
      ['--hours 22:00-06:00 --max-per-second 800', 'at night, and no faster than that'],
      ['--percent 10', 'a tenth of them first; --percent 100 takes all'],
      ['--plan profile_gigs', 'another plan than avatars'],
      ['--json --yes', 'for scripts: one JSON object on stdout'],
    ],
  },
  'dry-run': {
    says: 'run a migration and take it back; preflight only looks',
    more: 'It says before which locks it takes, ends when somebody waits for them, and names what it has not tried.',
    examples: [
      ['', 'a sample, taken back'],
      ['preflight', 'what is missing or of the wrong type; takes no locks'],
      ['full', 'everything in one transaction, in a minute; over DATABASE_URL where it is set'],
    ],
  },
  status: {
    says: 'print the figures of a migration, change nothing',
    examples: [
      ['', 'how far it is'],
      ['--json', 'for scripts: one JSON object on stdout'],
    ],
  },
  watch: {
    says: "show the progress of somebody else's run",
    examples: [
      ['', 'until it ends, or Ctrl-C'],
      ['--json', 'one JSON object a line, the last one is the result'],
    ],
  },
  rollback: {
    says: 'take a migration back, whole or one user',
    more: 'What people changed since is left as it is, and named; --force restores over it.',
    examples: [
      ['', 'everything'],
      ['--user <uuid>', 'one user; batches leave them alone from then on'],
      ['--force', 'also over later edits'],
    ],
  },
  pause: { says: 'let the run rest', examples: [['', 'until resume']] },
  resume: {
    says: 'end the rest and go on',
    examples: [
      ['', 'in the direction in which it went'],
      ['--workers 1', 'one batch at a time'],
    ],
  },
  cancel: {
    says: 'end the run where it is',
    more: 'What was moved stays moved: rollback takes it back.',
    examples: [['', 'for good; migrate starts a new run']],
  },
  retry: {
    says: 'try again what was set aside',
    more: retryHint,
    examples: [
      ['', 'once the cause is fixed'],
      ['--batch-size 1', 'each by itself'],
    ],
  },
  finalize: {
    says: 'end a migration for good, step by step: no rollback afterwards',
    examples: [
      ['--dry-run', 'which steps come, and what stands in the way'],
      ['', 'checks everything, asks, then goes the steps'],
      ['--yes --json', 'for scripts: one JSON object on stdout'],
    ],
  },
  cleanup: {
    says: 'drop journal and log after the verification period',
    examples: [
      ['--dry-run', 'what goes, and how much space that frees'],
      ['', '30 days after finalize'],
      ["--older-than '7 days'", 'sooner'],
    ],
  },
  schedule: {
    says: 'have pg_cron drive the run inside the database',
    more: 'It needs the extension pg_cron. The job removes itself when nothing is left to do. Called again it changes the interval.',
    examples: [
      ['', 'every ten seconds'],
      ["--every '1 minute'", 'or any other interval that pg_cron can keep'],
      ['--finalize', 'go the steps of finalize instead, to their end'],
    ],
  },
  unschedule: {
    says: 'take the job of schedule away',
    more: 'The run stays as it is: any caller goes on with it.',
    examples: [['', 'also ends the statement that the job has under way']],
  },
  throttle: {
    says: 'show when and how fast runs may work, or set it',
    more: 'It holds for every run of the plan, no matter who drives it. What you leave out stays as it is; an empty value takes it back.',
    examples: [
      ['', 'what is set, and who has set it'],
      ['--hours 22:00-06:00 --max-per-second 800', 'at night, and no faster than that (UTC)'],
      ["--hours '22:00-06:00 Europe/Berlin'", 'in another time zone'],
      ["--hours ''", 'at any time again'],
      ['--ignore-signal vacuum', 'do not look at one signal of the governor'],
    ],
  },
};

/** The examples of `migrate` where every action is a flag of it. */
const flagExamples: Help['examples'] = [
  ['', 'on an embedded Supabase with sample data'],
  ['--dry-run', 'what would happen, on a sample, taken back'],
  ['--stats-only', 'how far it is'],
  ['--workers 4 --max-failures 2%', 'on the project that SUPABASE_URL names'],
  ['--rollback', 'take everything back'],
  ['--rollback --user <uuid>', 'take one user back'],
  ['--retry-failed', 'try again what was set aside'],
  ['--finalize', 'end it for good: no rollback afterwards'],
  ['--cleanup', 'a month later: drop the journal'],
  ['--json --yes', 'for scripts: one JSON object on stdout'],
];

/** What each command reads of the environment. */
function environment(command: CommandName): string {
  const flags = flagsOf(command);
  const direct =
    command === 'dry-run'
      ? 'mode full'
      : (flags.includes('batchSize') || command === 'finalize') && 'direct steps';
  const query = flags.includes('throttleQuery') && '--throttle-query';
  const uses = [flags.includes('dump') && '--dump', query, direct].filter(Boolean);
  const names = [
    uses.length > 0 && `DATABASE_URL (${uses.join(', ')}), PGSSLROOTCERT`,
    flags.includes('dump') && 'PG_DUMP',
    flags.includes('batchSize') && 'MIGRATION_BATCH_SIZE, IMAGO_NOTIFY_URL (a webhook, docs/notify.md)',
  ].filter(Boolean);
  return [
    'Environment (also from .env): SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY',
    ...(names.length > 0 ? [names.join(', ')] : []),
    'MIGRATION_LOG_LEVEL (debug, info, warn, error).',
  ].join(',\n  ');
}

const exitCodes =
  'Exit codes: 0 all done, 1 failed, 2 wrong usage or it would not fit, 3 work or failures left, 130 interrupted.';

/** What stands below the options. */
export function footer(command: CommandName, program: string, asFlags: boolean): string {
  const { examples, more } = helpOf[command];
  const commands = 'The flags of npm run migrate (--rollback, --stats-only, --finalize, …) do the same here.';
  return [
    '',
    ...(more === undefined ? [] : [more, '']),
    exampleText(program, asFlags ? flagExamples : examples),
    '',
    ...(command === 'migrate' && !asFlags ? [commands, ''] : []),
    environment(command),
    '',
    exitCodes,
  ].join('\n');
}
