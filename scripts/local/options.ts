/** The options of `local`. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { readArguments, wholeNumber } from '../command/arguments.ts';
import { usageText } from '../command/invocation.ts';

export interface Options {
  sample?: number;
  app?: string;
  workdir?: string;
  reset: boolean;
}

const help = `
What it has of hosted Supabase, and what not, is in docs/embedded.md. In a project that Imago is installed in, a new database
gets the migrations of that project, and of Imago where it has not been added to it yet.

It listens on the loopback interface only. Its data is in .imago/ (or in the folder that IMAGO_FOLDER names) and stays
there until --reset. The other commands find it by themselves while it runs: npm run migrate in another terminal works
on it.

Its edge functions take the secret key, or the token of a signed-in user with a role. Sign up with supabase-js, then give
the role by SQL, as on hosted Supabase, and sign in:
  update auth.users set raw_app_meta_data = raw_app_meta_data || '{"imago_role": "operator"}' where email = '…';

Exit codes: 0 stopped by Ctrl-C, 1 failed, or ended from outside, 2 wrong usage.`;

/** The parser; also what `--help` shows. */
export function parserOf(name: string): Command {
  return new Command(name)
    .usage(usageText(name, '[options]'))
    .description(
      'Keeps an embedded Supabase running: PostgreSQL, Data API, Auth and edge functions, for development, without Docker.',
    )
    .option(
      '--sample <n>',
      'users of the sample app (default: what is there, 20,000 in a new database)',
      wholeNumber(0, 10_000_000),
    )
    .option(
      '--app <file.sql>',
      'make this app instead of the sample app; it reads the setting sample.users',
      sqlFile,
    )
    .addOption(
      new Option(
        '--workdir <dir>',
        'apply the migrations of the Supabase project in this folder, instead of the sample app',
      )
        .argParser(projectFolder)
        .conflicts(['sample', 'app']),
    )
    .option('--reset', 'start over with a new database', false)
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', help);
}

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  return readArguments(parserOf(name), argv) as Options;
}

function sqlFile(value: string): string {
  if (statSync(value, { throwIfNoEntry: false })?.isFile()) return value;
  throw new InvalidArgumentError('It must be a file of SQL.');
}

function projectFolder(value: string): string {
  if (statSync(path.join(value, 'supabase'), { throwIfNoEntry: false })?.isDirectory()) return value;
  throw new InvalidArgumentError('It must be a folder with supabase/ in it.');
}
