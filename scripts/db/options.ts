/** The options of `npm run db`, parsed. */
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { helpHint, readArguments, wholeNumber } from '../command/arguments.ts';
import { commandPrefix, exampleText, usageText } from '../command/invocation.ts';
import { UsageError } from '../command/usage.ts';
import { nameParts } from './names.ts';

export const commands = [
  'init',
  'migrate',
  'upgrade',
  'downgrade',
  'status',
  'history',
  'check',
  'stamp',
  'reset',
] as const;
export type CommandName = (typeof commands)[number];

/** What somebody says was renamed: old and new name, each in its parts. */
export interface Rename {
  from: string[];
  to: string[];
}

const optionsSchema = z.strictObject({
  workdir: z.string().default('.'),
  linked: z.boolean().default(false),
  lockTimeout: z.number().default(1_000),
  attempts: z.number().default(10),
  includeAll: z.boolean().default(false),
  allowDataLoss: z.boolean().default(false),
  fireTriggers: z.boolean().default(false),
  empty: z.boolean().default(false),
  rename: z.array(z.custom<Rename>()).default([]),
  confirm: z.string().optional(),
  json: z.boolean().default(false),
  yes: z.boolean().default(false),
});

export type Options = z.output<typeof optionsSchema> & {
  command: CommandName;
  /** A message, a version, or nothing. */
  argument: string | undefined;
};

/** What stands under the options of each command, as it is typed behind its name. */
const ownExamples: Record<CommandName, readonly (readonly [flags: string, text: string])[]> = {
  init: [
    ['', 'in the project here, on the embedded database or the one that DATABASE_URL names'],
    ['--linked', 'on the project that supabase link has linked'],
  ],
  migrate: [
    ['"add certificates"', 'what differs between models and migrations'],
    ['"name gigs" --rename public.gigs.title=public.gigs.name', 'a column that keeps its values'],
    ['"fill in by hand" --empty', 'an empty version'],
  ],
  upgrade: [
    ['', 'all that is pending'],
    ['20260101000000', 'up to this version'],
  ],
  downgrade: [
    ['', 'the last version'],
    ['-2', 'the last two'],
    ['20260101000000', 'all that came after this version'],
  ],
  status: [
    ['', 'where the database stands'],
    ['--json', 'for scripts: one JSON object on stdout'],
  ],
  history: [['', 'all versions, the newest last']],
  check: [['--json', 'for CI: 3 where database, migrations and models differ']],
  stamp: [
    ['20260101000000', 'this version and those before it'],
    ['0', 'none'],
  ],
  reset: [['', 'on the embedded database']],
};

const environment = `
Environment (also from .env): DATABASE_URL, or SUPABASE_DB_PASSWORD for --linked; without them the embedded database.
  PGSSLROOTCERT (the file of the CA of a database on another machine, where it is not Supabase's or known).
Files: models in supabase/schemas/, versions in supabase/migrations/, their ways back in supabase/ways-back/.

Exit codes: 0 done, 1 failed, 2 wrong usage or refused, 3 check has found drift, or the question was answered with no,
  130 interrupted.`;

const examples = [
  ['init', 'set up, or adopt a database that was made without migrations'],
  ['migrate "add certificates"', 'write the next version from the models, and its way back'],
  ['upgrade', 'apply what is pending'],
  ['downgrade -2', 'take the last two versions back; what they drop is kept aside'],
  ['status', 'current version, pending ones'],
  ['check --json', 'for CI: 3 where database, migrations and models differ'],
] as const;

interface Chosen {
  command: CommandName;
  argument: string | undefined;
  options: unknown;
}

/** The parser; also what `--help` shows. */
export function parserOf(name: string, choose: (chosen: Chosen) => void = () => {}): Command {
  const parser = new Command(name)
    .usage(usageText(name, 'command [options]'))
    .description('Versions of the schema: written from models, applied, taken back, without losing data.')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', `\n${exampleText(name, examples)}\n${environment}`);

  const add = (command: CommandName, argument: string, description: string): Command =>
    parser
      .command(argument ? `${command} ${argument}` : command)
      .description(description)
      .option('--workdir <dir>', 'the folder of the project (default: the nearest one upward with supabase/)')
      .option('--json', 'one JSON object on stdout')
      .option('-y, --yes', 'do not ask')
      .helpOption('-h, --help', 'show this')
      .addHelpText(
        'after',
        `\n${exampleText(`${commandPrefix(name)} ${command}`, ownExamples[command])}\n${environment}`,
      )
      .allowExcessArguments(false)
      .action((...given: unknown[]) => {
        const self = given.at(-1) as Command;
        choose({ command, argument: self.args[0], options: self.opts() });
      });
  const onDatabase = (command: Command): Command =>
    command.option('--linked', 'the project that supabase link has linked');
  const locking = (command: Command): Command =>
    command
      .option('--lock-timeout <ms>', 'longest wait for a lock (default: 1000)', wholeNumber(1, 600_000))
      .option('--attempts <n>', 'tries to get the locks (default: 10)', wholeNumber(1, 1_000));

  onDatabase(add('init', '', 'set up a project, or adopt a database that was made without migrations'));
  add('migrate', '<message>', 'write the next version and its way back from the models')
    .option('--rename <old=new>', 'a table, column or enum value that was renamed; can be repeated', rename)
    .option('--allow-data-loss', 'write statements that lose data or rewrite a table')
    .option('--empty', 'write an empty version, to be filled by hand');
  locking(onDatabase(add('upgrade', '[version]', 'apply pending versions, up to one of them')))
    .option('--include-all', 'also versions that are older than one that is applied')
    .option('--fire-triggers', 'let triggers see the rows that come back from the attic');
  locking(
    onDatabase(add('downgrade', '[version]', 'take versions back to one of them, or the last n: -n')),
  ).option('--allow-data-loss', 'also where values cannot be kept, for want of a primary key');
  onDatabase(add('status', '', 'current version, pending ones, what is kept aside'));
  onDatabase(add('history', '', 'all versions, applied or not'));
  onDatabase(add('check', '', 'compare database, migrations and models'));
  onDatabase(
    add('stamp', '<version>', 'mark a version and those before it as applied, and no later one; 0 for none'),
  );
  locking(
    onDatabase(add('reset', '', 'drop everything and apply all versions; embedded and loopback only')).option(
      '--confirm <name>',
      "the database's name, where it is not the embedded one",
    ),
  );
  // What is wrong is said once, where the arguments are read.
  for (const command of parser.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
  return parser;
}

/** Parses the arguments (without node and script). Throws what `readArguments` throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  let chosen: Chosen | undefined;
  const parser = parserOf(name, (made) => {
    chosen = made;
  });
  readArguments(parser, argv.map(negative));
  if (!chosen) throw new UsageError('A command is missing.', helpHint(name, 'lists them'));
  return {
    ...optionsSchema.parse(chosen.options),
    command: chosen.command,
    argument: chosen.argument?.replace(/^~/, '-'),
  };
}

/** `-2` is a number of versions, not an option. */
function negative(argument: string): string {
  return /^-\d+$/.test(argument) ? `~${argument.slice(1)}` : argument;
}

function rename(value: string, before: Rename[] | undefined): Rename[] {
  const [, from = '', to = ''] = /^((?:"(?:[^"]|"")+"|[^"=])+)=(.+)$/.exec(value) ?? [];
  const parts = { from: nameParts(from), to: nameParts(to) };
  if (!parts.from || !parts.to) {
    throw new InvalidArgumentError('It must be old=new, like public.gigs.title=public.gigs.name.');
  }
  return [...(before ?? []), { from: parts.from, to: parts.to }];
}
