/** The options of `dashboard`. */
import { Command } from 'commander';
import { z } from 'zod';
import { readArguments, wholeNumber } from '../command/arguments.ts';
import { exampleText, usageText } from '../command/invocation.ts';

const optionsSchema = z.strictObject({
  port: z.number().optional(),
  open: z.boolean(),
});

export type Options = z.output<typeof optionsSchema>;

const examples = [
  ['', 'on the embedded Supabase, or the project that SUPABASE_URL names'],
  ['--port 4545', 'at the same address each time, for a tunnel (ssh -L 4545:127.0.0.1:4545)'],
  ['--no-open', 'only say the address'],
] as const;

const help = `
It listens on 127.0.0.1 only, and its address holds a token that is another one each time: anyone who has it may do what the
key may. The key stays in this process. Nothing is deployed. What the page is told to do, it does through this process, so keep
both open while it works; closing them loses nothing, and the next caller goes on.

Environment (also from .env): SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY; where FLEET_DATABASE_URL names the
control database of a fleet, the page has the fleet as well, or the fleet alone where no project is named (docs/fleet.md).

The same page runs on any web server, with sign-in by Supabase Auth: docs/dashboard.md.

Exit codes: 0 stopped by Ctrl-C, 1 failed, 2 wrong usage.`;

/** The parser; also what `--help` shows. */
export function parserOf(name: string): Command {
  return new Command(name)
    .usage(usageText(name, '[options]'))
    .description('Serves a page on this machine to watch migrations and to run them, and opens it.')
    .option('--port <n>', 'port to listen on (default: one that is free)', wholeNumber(1, 65_535))
    .option('--no-open', 'do not open a browser')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', `\n${exampleText(name, examples)}\n${help}`);
}

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  return optionsSchema.parse(readArguments(parserOf(name), argv));
}
