/** The commands of `npm run plan`, parsed. */
import { Command } from 'commander';
import { helpHint, readArguments } from '../command/arguments.ts';
import { commandPrefix, exampleText, usageText } from '../command/invocation.ts';
import { UsageError } from '../command/usage.ts';
import type { Wish } from './create.ts';

export type Action =
  | { kind: 'new'; wish: Wish; json: boolean }
  | { kind: 'check'; plan: string; json: boolean };

interface Typed {
  source?: string;
  key?: string;
  column?: string;
  json?: boolean;
}

const examples = {
  new: [['initials --source public.users --key id', 'a plan that walks this table']],
  check: [
    ['initials', 'what is wrong with it'],
    ['initials --json', 'for scripts: one JSON object on stdout'],
  ],
} as const;

const about = {
  new: `It looks at the table in the database that DATABASE_URL names, otherwise in the embedded Supabase, and writes the
plan under sql/plans/, its migration and its tests. It runs as it is; what it does is yours to write.
docs/write-a-plan.md takes you through it.`,
  check: `It needs no database of yours: it runs the plan on a PostgreSQL of its own, on made-up rows
(tests/support/NAME.sql), and says what is wrong.`,
} as const;

const footer = `
Environment (also from .env): DATABASE_URL, PGSSLROOTCERT, SUPABASE_URL,
  MIGRATION_LOG_LEVEL (debug, info, warn, error).

Exit codes: 0 done, nothing wrong, 1 could not do it, 2 wrong usage, 3 check has found errors.`;

/** The parser; also what `--help` shows. */
export function parserOf(name: string, choose: (chosen: Action) => void = () => {}): Command {
  const parser = new Command(name)
    .usage(usageText(name, 'command [options]'))
    .description('Begins a migration plan of your own, and tells what is wrong with one.')
    .helpOption('-h, --help', 'show this')
    .addHelpText(
      'after',
      `\n${exampleText(
        name,
        [...examples.new, ...examples.check].map(
          ([flags, text], i) => [`${i === 0 ? 'new' : 'check'} ${flags}`, text] as const,
        ),
      )}\n${footer}`,
    );
  const add = (kind: Action['kind'], description: string): Command =>
    parser
      .command(kind)
      .description(description)
      .argument('<name>', 'the name of the plan')
      .helpOption('-h, --help', 'show this')
      .addHelpText(
        'after',
        `\n${about[kind]}\n\n${exampleText(`${commandPrefix(name)} ${kind}`, examples[kind])}\n${footer}`,
      )
      .allowExcessArguments(false)
      .exitOverride()
      // What is wrong is said once, by whoever reads the arguments.
      .configureOutput({ writeErr: () => {} });
  add('new', 'begin a plan, with its migration and its tests')
    .option('--source <table>', 'the table to walk, with its schema: public.users')
    .option('--key <column>', 'its unique column to walk by: uuid, integer, bigint or text')
    .option('--column <name>', 'the column that the plan adds (default: its name)')
    .option('--json', 'one JSON object on stdout')
    .action((plan: string, { source, key, column, json = false }: Typed) => {
      if (source === undefined || key === undefined) {
        throw new UsageError(
          `${source === undefined ? '--source' : '--key'} is missing.`,
          'Say which table the plan walks, and by which column: --source public.users --key id',
        );
      }
      choose({ kind: 'new', json, wish: { plan, source, key, column } });
    });
  add('check', 'run a plan on a database of its own, and say what is wrong')
    .option('--json', 'one JSON object on stdout')
    .action((plan: string, { json = false }: Typed) => {
      choose({ kind: 'check', plan, json });
    });
  return parser;
}

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function readAction(argv: readonly string[], name: string): Action {
  let chosen: Action | undefined;
  const parser = parserOf(name, (action) => {
    chosen = action;
  });
  readArguments(parser, argv, (flag) =>
    /^--(source|key|column)\b/.test(flag)
      ? new UsageError('--source, --key and --column are for new.')
      : undefined,
  );
  if (!chosen) throw new UsageError('A command is missing.', helpHint(name, 'lists the commands'));
  return chosen;
}
