/** The options of `imago doctor`. */
import { Command, Option } from 'commander';
import { z } from 'zod';
import { readArguments } from '../command/arguments.ts';
import { exampleText, usageText } from '../command/invocation.ts';

const optionsSchema = z.object({
  failOn: z.enum(['error', 'warning']),
  json: z.boolean().default(false),
});

export type Options = z.output<typeof optionsSchema>;

const examples = [
  ['', 'on the embedded Supabase, or the project that SUPABASE_URL names'],
  ['--json --fail-on warning', 'for scripts: one JSON object on stdout'],
] as const;

const help = `
It changes nothing. It looks through the Data API, as the command does; where that does not work and DATABASE_URL is
set, over a database connection. It tries whether the server of DATABASE_URL proves who it is, without signing in.

Environment (also from .env): SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY, DATABASE_URL,
  PGSSLROOTCERT (the file of the CA of DATABASE_URL, where it is not Supabase's or known).

Exit codes: 0 all is as it should be, 1 could not look, 2 wrong usage, 3 findings at or over --fail-on.`;

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  const parser = new Command(name)
    .usage(usageText(name, '[options]'))
    .description('Compares what is installed in the database with what should be, and says how to mend it.')
    .addOption(
      new Option('--fail-on <severity>', 'end with 3 from this severity on')
        .choices(['error', 'warning'])
        .default('error'),
    )
    .option('--json', 'one JSON object on stdout')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', `\n${exampleText(name, examples)}\n${help}`);
  return optionsSchema.parse(readArguments(parser, argv));
}
