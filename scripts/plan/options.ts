/** The commands of `imago plan`, parsed. */
import { Command } from 'commander';
import { helpHint, readArguments } from '../command/arguments.ts';
import { commandPrefix, exampleText, usageText } from '../command/invocation.ts';
import { UsageError } from '../command/usage.ts';
import type { Wish } from './create.ts';
import { kinds as readyMade } from './kinds/index.ts';
import type { KindOptions, OptionName } from './kinds/kind.ts';

const kinds = ['new', 'check', 'test', 'build', 'list', 'drop'] as const;
type Kind = (typeof kinds)[number];

export type Action = { workdir: string | undefined; json: boolean } & (
  | { kind: 'new'; wish: Wish }
  | { kind: 'check' | 'test'; plan: string }
  /** All plans where none is named. */
  | { kind: 'build'; plans: string[]; check: boolean }
  | { kind: 'list' }
  | { kind: 'drop'; plan: string; yes: boolean }
);

interface Typed {
  workdir?: string;
  source?: string;
  key?: string;
  column?: string;
  kind?: string;
  type?: string;
  value?: string;
  to?: string;
  into?: string[];
  back?: string[];
  enum?: string;
  labels?: string;
  fields?: string;
  references?: string;
  orphans?: string;
  placeholder?: string;
  columns?: string;
  grants?: string;
  keep?: string;
  by?: string;
  check?: boolean;
  yes?: boolean;
  json?: boolean;
}

const examples: Record<Kind, readonly (readonly [flags: string, text: string])[]> = {
  new: [
    ['initials --source public.users --key id', 'a plan that walks this table'],
    ['roles --source public.members --key team_id,user_id', 'the same by a key of several columns'],
    [
      'cents --source public.items --key id --kind type-change --column price --type bigint',
      'a ready-made plan; docs/plan-kinds.md has all kinds',
    ],
    [
      'hashes --source public.users --key id --kind external --column hash --value s.email',
      'a function in TypeScript that is handed rows; needs zod in your project',
    ],
  ],
  check: [
    ['initials', 'what is wrong with it'],
    ['initials --json', 'for scripts: one JSON object on stdout'],
  ],
  test: [['initials', 'there and back, killed, by 20 callers, beside an app that writes']],
  build: [
    ['', 'the migrations of what is new'],
    ['--check', 'for CI: 3 where something is new'],
  ],
  list: [['', 'what is there, and how far it has come']],
  drop: [['initials', 'the migration that takes out a plan whose folder is gone']],
};

const about: Record<Kind, string> = {
  new: `It writes supabase/imago/plans/NAME/ into your project: the plan, which runs as it is, and what it is tried by. What it does
is yours to write; docs/write-a-plan.md takes you through it. It looks at the table in the database that DATABASE_URL names,
otherwise at what the migrations of the project make; nothing is changed there.`,
  check: `It needs no database of yours: it runs the plan on a PostgreSQL of its own, on what the migrations of the project make, with
made-up rows (test/rows.sql of the plan), and says what is wrong.`,
  test: `It tries on a PostgreSQL of its own what every plan has to keep, and what test/conformance.toml of the plan says: a line for
each check.`,
  build: `It writes what is new of a plan into supabase/migrations/, tried on a PostgreSQL of its own. It never rewrites a file: what has
changed since is one more migration, of what has changed. Is a file on your machine only? Delete it, and build again.`,
  drop: `It writes the migration that takes a plan out of the database: its schema, its functions and its registration, with what is
known of its runs. Its folder is deleted before. The plan has to be taken back or finalized, and cleaned up. What it has added to
the app stays. It asks first; without a terminal it needs --yes.`,
  list: `It looks into the database that DATABASE_URL names, otherwise into the embedded one where there is one.`,
};

const footer = `
Environment (also from .env): DATABASE_URL, PGSSLROOTCERT, MIGRATION_LOG_LEVEL (debug, info, warn, error).

Exit codes: 0 done, nothing wrong; 1 could not do it; 2 wrong usage or refused; 3 check has found errors, a test has failed,
  build --check has found something new, or you have answered no; 130 interrupted.`;

/** The parser; also what `--help` shows. */
export function parserOf(name: string, choose: (chosen: Action) => void = () => {}): Command {
  const parser = new Command(name)
    .usage(usageText(name, 'command [options]'))
    .description(
      'Migration plans of your own, in the project of your app: begun, checked, tested, built, taken out.',
    )
    .helpOption('-h, --help', 'show this')
    .addHelpText(
      'after',
      `\n${exampleText(
        name,
        kinds.flatMap((kind) =>
          examples[kind].map(([flags, text]) => [`${kind} ${flags}`.trim(), text] as const),
        ),
      )}\n${footer}`,
    );
  const add = (kind: Kind, description: string): Command =>
    parser
      .command(kind)
      .description(description)
      .helpOption('-h, --help', 'show this')
      .option('--workdir <dir>', 'the folder of the project (default: the nearest one upward with supabase/)')
      .addHelpText(
        'after',
        `\n${about[kind]}\n\n${exampleText(`${commandPrefix(name)} ${kind}`, examples[kind])}\n${footer}`,
      )
      .allowExcessArguments(false)
      .exitOverride()
      // What is wrong is said once, by the code that reads the arguments.
      .configureOutput({ writeErr: () => {} })
      .option('--json', 'one JSON object on stdout');
  const common = ({ workdir, json = false }: Typed) => ({ workdir, json });
  add('new', 'begin a plan')
    .argument('<name>', 'the name of the plan')
    .option('--source <table>', 'the table to walk, with its schema: public.users')
    .option('--key <column>', 'its unique column to walk by, several with commas: organization_id,user_id')
    .option('--column <name>', 'the column that the plan adds (default: its name), or that the kind is about')
    .option('--kind <kind>', `a ready-made plan, one of: ${Object.keys(readyMade).join(', ')}`)
    .option('--type <type>', 'of backfill, type-change: the type of the column')
    .option(
      '--value <sql>',
      'of backfill, not-null, type-change, text-to-enum: the value, of the row s; of external: what is handed out of it',
    )
    .option('--to <name>', 'of rename-column: the new name; of extract-table: the new table, with its schema')
    .option(
      '--into <name=sql>',
      'of split-column, merge-columns: a new column; name:type=sql; may be repeated',
      collect,
    )
    .option(
      '--back <sql>',
      'of split-column: the old column from the new ones; of merge-columns name=sql; may be repeated',
      collect,
    )
    .option('--enum <type>', 'of text-to-enum: the enum, with its schema: public.status')
    .option(
      '--labels <list>',
      'of text-to-enum: the labels of an enum that is not there yet: draft,published',
    )
    .option('--fields <list>', 'of json-to-columns: the fields: city,zip:integer')
    .option('--references <clause>', 'of fk-add: as in create table: "public.users (id) on delete cascade"')
    .option(
      '--orphans <what>',
      'of fk-add: what becomes of values without a target: refuse (default) or null',
    )
    .option('--placeholder <key>', 'of fk-add: or this key of the target takes their place')
    .option(
      '--columns <list>',
      'of extract-table: the columns that move; of dedupe: those by which rows are equal',
    )
    .option(
      '--grants <whose>',
      'of extract-table: who may read the new table: none (default), or source: as its rows are shown now',
    )
    .option('--keep <which>', 'of dedupe: the row that stays: oldest or newest')
    .option('--by <column>', 'of dedupe: by which column; ties by key')
    .action((plan: string, typed: Typed) => {
      const { source, column } = typed;
      const made = readyMadeOf(typed);
      const key = typed.key ?? (made && readyMade[made.name]?.walksByColumn ? column : undefined);
      if (source === undefined || key === undefined) {
        throw new UsageError(
          `${source === undefined ? '--source' : '--key'} is missing.`,
          'Say which table the plan walks, and by which column: --source public.users --key id',
        );
      }
      choose({
        kind: 'new',
        ...common(typed),
        wish: { plan, source, key, column, ...(made && { kind: made }) },
      });
    });
  for (const [kind, description] of [
    ['check', 'run a plan on a database of its own, and say what is wrong'],
    ['test', 'try on a plan what every plan has to keep'],
  ] as const) {
    add(kind, description)
      .argument('<name>', 'the name of the plan')
      .action((plan: string, typed: Typed) => choose({ kind, ...common(typed), plan }));
  }
  add('build', 'write what is new as migrations of the project')
    .argument('[names...]', 'plans (default: all of the project)')
    .option('--check', 'write nothing, and end with 3 where something is new')
    .action((plans: string[], typed: Typed) =>
      choose({ kind: 'build', ...common(typed), plans, check: typed.check ?? false }),
    );
  add('list', 'list the plans of the project and of the database').action((typed: Typed) =>
    choose({ kind: 'list', ...common(typed) }),
  );
  add('drop', 'write the migration that takes a plan out, once its folder is deleted')
    .argument('<name>', 'the name of the plan')
    .option('--yes', 'do not ask')
    .action((plan: string, typed: Typed) =>
      choose({ kind: 'drop', ...common(typed), plan, yes: typed.yes ?? false }),
    );
  return parser;
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

/** The kind with its options; refuses those that are missing, and those of other kinds. */
function readyMadeOf(typed: Typed): { name: string; options: KindOptions } | undefined {
  const { column, type, value, to, into, back, enum: type_, labels, fields, kind: name } = typed;
  const { references, orphans, placeholder, columns, grants, keep, by } = typed;
  const options: KindOptions = {
    ...{ column, type, value, to, into, back, enum: type_, labels, fields },
    ...{ references, orphans, placeholder, columns, grants, keep, by },
  };
  const given = (Object.keys(options) as OptionName[]).filter((flag) => options[flag] !== undefined);
  if (name === undefined) {
    const [stray] = given.filter((flag) => flag !== 'column');
    if (stray) throw new UsageError(`--${stray} is for a ready-made plan.`, 'Say which one with --kind.');
    return undefined;
  }
  const kind = Object.hasOwn(readyMade, name) ? readyMade[name] : undefined;
  if (!kind) {
    throw new UsageError(`There is no kind ${name}.`, `Kinds: ${Object.keys(readyMade).join(', ')}.`);
  }
  const missing = kind.needs.find((flag) => options[flag] === undefined);
  if (missing) {
    throw new UsageError(
      `--${missing} is missing.`,
      `${name} (${kind.about}) takes ${[...kind.needs.map((flag) => `--${flag}`), ...(kind.may ?? []).map((flag) => `[--${flag}]`)].join(' ')}.`,
    );
  }
  const other = given.find((flag) => !kind.needs.includes(flag) && !kind.may?.includes(flag));
  if (other) throw new UsageError(`--${other} is not for ${name}.`, `It is ${kind.about}.`);
  return { name, options };
}

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function readAction(argv: readonly string[], name: string): Action {
  let chosen: Action | undefined;
  const parser = parserOf(name, (action) => {
    chosen = action;
  });
  readArguments(parser, argv, (flag) =>
    /^--(source|key|column|kind|type|value|to|into|back|enum|labels|fields|references|orphans|placeholder|columns|grants|keep|by)\b/.test(
      flag,
    )
      ? new UsageError(`${flag} is for new.`)
      : undefined,
  );
  if (!chosen) throw new UsageError('A command is missing.', helpHint(name, 'lists the commands'));
  return chosen;
}
