/** The options of `imago doctor`. */
import { Command, Option } from 'commander';
import { z } from 'zod';
import { readArguments } from '../command/arguments.ts';
import { exampleText, usageText } from '../command/invocation.ts';
import { UsageError } from '../command/usage.ts';

const optionsSchema = z.strictObject({
  failOn: z.enum(['error', 'warning']),
  json: z.boolean().default(false),
  probe: z.boolean().default(false),
  wait: z.boolean().default(false),
  yes: z.boolean().default(false),
});

export type Options = z.output<typeof optionsSchema>;

const examples = [
  ['', 'on the embedded Supabase, or the project that SUPABASE_URL names'],
  ['--json --fail-on warning', 'for scripts: one JSON object on stdout'],
  ['--probe', 'try Imago there, in schemas that are dropped again'],
] as const;

const help = `
It changes nothing. It looks through the Data API, as the command does; where that does not work and DATABASE_URL is
set, over a database connection. It tries whether the server of DATABASE_URL proves who it is, without signing in.

With --probe it makes two schemas of its own and a plan with 300 made-up rows, tries there what a migration needs, drops all of
it, and prints one block of text without keys, addresses or rows, for an issue. It asks first, and needs DATABASE_URL.

Environment (also from .env): SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY, DATABASE_URL,
  PGSSLROOTCERT (the file of the CA of DATABASE_URL, where it is not Supabase's or known).

Exit codes: 0 all is as it should be, 1 could not look, 2 wrong usage, 3 findings at or over --fail-on, or something that was
tried does not work, 130 interrupted.`;

/** The parser; also what `--help` shows. */
export function parserOf(name: string): Command {
  return new Command(name)
    .usage(usageText(name, '[options]'))
    .description('Compares what is installed in the database with what should be, and says how to fix it.')
    .addOption(
      new Option('--fail-on <severity>', 'end with 3 from this severity on')
        .choices(['error', 'warning'])
        .default('error'),
    )
    .option('--json', 'one JSON object on stdout')
    .option('--probe', 'try everything in scratch schemas, and report for an issue')
    .option('--wait', 'with --probe: see a pg_cron job run, up to 90 s')
    .option('--yes', 'with --probe: do not ask')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', `\n${exampleText(name, examples)}\n${help}`);
}

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  const parser = parserOf(name);
  const options = optionsSchema.parse(readArguments(parser, argv));
  const needless = (['wait', 'yes'] as const).find((flag) => options[flag]);
  if (needless !== undefined && !options.probe) throw new UsageError(`--${needless} goes with --probe.`);
  if (options.probe && parser.getOptionValueSource('failOn') === 'cli') {
    throw new UsageError(
      '--fail-on does not go with --probe.',
      'Whatever does not work makes its exit code 3.',
    );
  }
  return options;
}
