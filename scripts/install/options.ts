/** The options of `imago install`. */
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { planName, readArguments } from '../command/arguments.ts';
import { UsageError } from '../command/usage.ts';

const optionsSchema = z.strictObject({
  plans: z.array(z.string()).optional(),
  functions: z.boolean().default(true),
  dryRun: z.boolean().default(false),
  uninstall: z.boolean().default(false),
  discardJournal: z.boolean().default(false),
  json: z.boolean().default(false),
});

export type Options = z.output<typeof optionsSchema> & { folder: string };

const examples = `
Examples:
  npx --no imago install                     the engine and the plan avatars, into the project here
  npx --no imago install ../shop --plans avatars,profile_gigs
  npx --no imago install --dry-run           what it would add
  npx --no imago install --uninstall         the migration that removes everything

It adds migrations after the last one of the project, edge functions to supabase/functions/ with their entries in
config.toml, and lines to .env.example. It touches no database: npx supabase db push does. Called again it adds what
is new; files that you have edited are left alone and named.

Exit codes: 0 done, or nothing to do; 1 failed; 2 refused, nothing was changed; 3 done, and a file that you have edited
  has a newer version, which is yours to take over.`;

/** The parser; also what `--help` shows. */
export function parserOf(name: string): Command {
  return new Command(name)
    .usage('[DIR] [options]')
    .description('Adds Imago to a Supabase project, or what of it is newer.')
    .argument('[DIR]', 'the folder with supabase/ in it (default: this one)')
    .option('--plans <names>', 'plans to add, like avatars,profile_gigs; none for the engine alone', plans)
    .option('--no-functions', 'leave the edge functions out')
    .option('--dry-run', 'say what would be done, write nothing')
    .option('--uninstall', 'write the migration that removes Imago, and remove its files')
    .option('--discard-journal', 'with --uninstall: also while runs can still be rolled back')
    .option('--json', 'one JSON object on stdout')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', examples)
    .allowExcessArguments(false);
}

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  const parser = parserOf(name);
  const options = optionsSchema.parse(readArguments(parser, argv));
  if (options.discardJournal && !options.uninstall) {
    throw new UsageError(
      '--discard-journal goes with --uninstall only.',
      `${name} --help lists the options.`,
    );
  }
  if (options.uninstall && (options.plans || !options.functions)) {
    throw new UsageError('--uninstall removes everything: it takes neither --plans nor --no-functions.');
  }
  return { ...options, folder: parser.args[0] ?? '.' };
}

function plans(value: string): string[] {
  if (value === 'none') return [];
  const names = value.split(',').map((name) => name.trim());
  if (names.includes(''))
    throw new InvalidArgumentError('It must be names of plans, like avatars,profile_gigs.');
  return names.map(planName);
}
