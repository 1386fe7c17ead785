/** The options of `npm run validate`. */
import { Command, Option } from 'commander';
import { z } from 'zod';
import { planName, readArguments, wholeNumber } from '../command/arguments.ts';
import { exampleText, siblingName, usageText } from '../command/invocation.ts';
import { expectPlace } from '../command/private-file.ts';
import { UsageError } from '../command/usage.ts';
import { spelled } from '../migrate/spelling.ts';

const optionsSchema = z.strictObject({
  plan: z.string(),
  /** Up to ten keys for each finding. */
  detailed: z.boolean().default(false),
  fixIssues: z.boolean().default(false),
  /** Say what the fixes would do. */
  dryRun: z.boolean().default(false),
  failOn: z.enum(['error', 'warning']),
  /** One call's worth: short enough for a bar that moves, far from the 8 s after which the server ends a statement. */
  maxMs: z.number().default(2_000),
  report: z.string().optional(),
  json: z.boolean().default(false),
  yes: z.boolean().default(false),
  verbose: z.boolean().default(false),
});

export type Options = z.output<typeof optionsSchema>;

const examples = [
  ['', 'on the embedded Supabase, or the project that SUPABASE_URL names'],
  ['--detailed', 'with up to ten keys for each finding'],
  ['--dry-run', 'what --fix-issues would do'],
  ['--fix-issues', 'fix what can be fixed, having asked'],
  ['--report validation.html', 'a page to pass on, with pictures of the runs'],
  ['--json --fail-on warning', 'for scripts: one JSON object on stdout'],
] as const;

/** What stands below the options. */
const footer = (name: string): string => `
${exampleText(name, examples)}

It is for before a migration, during it and after it, and knows which. Fixes go through the journal, so
that ${spelled(siblingName(name, 'migrate'), ['--rollback'])} takes them back like anything else.

Environment (also from .env): SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY,
  MIGRATION_LOG_LEVEL (debug, info, warn, error).

Exit codes: 0 clean, 1 could not check, 2 wrong usage, 3 findings at or over --fail-on, or a migration that is
half-way, cancelled or has left something, 130 interrupted.`;

/** The option parser; also what `--help` shows. */
export function parserOf(name: string): Command {
  return new Command(name)
    .usage(usageText(name, '[options]'))
    .description(
      'Checks a migration before, during and after it: finds what is wrong, explains it, fixes it.',
    )
    .option('--plan <name>', 'the plan to check', planName, 'avatars')
    .option('--detailed', 'show up to ten keys for each finding')
    .option('--fix-issues', 'fix what can be fixed; says what it will do, and asks')
    .option('--dry-run', 'say what --fix-issues would do, change nothing')
    .addOption(
      new Option('--fail-on <severity>', 'end with 3 from this severity on')
        .choices(['error', 'warning'])
        .default('error'),
    )
    .option(
      '--max-ms <n>',
      'time budget of one call in milliseconds (default: 2000)',
      wholeNumber(1, 600_000),
    )
    .option('--report <file.html>', 'write one self-contained page to pass on')
    .option('--json', 'one JSON object on stdout')
    .option('-y, --yes', 'do not ask')
    .option('--verbose', 'show each call with its duration')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', footer(name));
}

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  const options = optionsSchema.parse(readArguments(parserOf(name), argv));
  if (options.report !== undefined) checkReportFile(options.report);
  return options;
}

/** A page that could not be written in the end would be a pity after a long check. */
function checkReportFile(file: string): void {
  // Also so that nobody overwrites what is no report of ours.
  if (!/\.html?$/i.test(file)) {
    throw new UsageError('--report writes an HTML page: the file must end in .html.');
  }
  expectPlace({ option: '--report', file, replaces: true });
}
