/** The commands of `imago fleet`, parsed. */
import { Command, InvalidArgumentError } from 'commander';
import { maxFailures } from '../../functions/_shared/requests.ts';
import { helpHint, planName, readArguments, wholeNumber } from '../command/arguments.ts';
import { commandPrefix, exampleText, usageText } from '../command/invocation.ts';
import { UsageError } from '../command/usage.ts';
import { largestCap } from './caps.ts';
import { type ImportWish, importWish, type NewMember, newMember, type TypedMember } from './new-member.ts';
import { type Wish, wishOf } from './wish.ts';

/** The workers that are started for the time of a command. */
export interface LocalWorkers {
  /** Undefined: one, where none is alive. */
  workers: number | undefined;
  slots: number;
}

type Choice =
  | { command: 'init' | 'doctor' }
  | { command: 'list'; labels: string[] }
  | { command: 'add'; member: NewMember; replace: boolean }
  | { command: 'import'; wish: ImportWish; replace: boolean }
  | { command: 'remove'; names: string[] }
  | { command: 'run'; wish: Wish; local: LocalWorkers; dryRun: boolean; detach: boolean }
  | { command: 'status'; plan: string | undefined; rollout: number | undefined; prometheus: boolean }
  | {
      command: 'change';
      action: 'pause' | 'resume' | 'cancel' | 'retry';
      plan: string | undefined;
      rollout: number | undefined;
      members: string[];
      despiteFailures: boolean;
      stopPercent: number | undefined;
    }
  | { command: 'worker'; slots: number; name: string | undefined; target: string | undefined };

export type Options = Choice & { json: boolean; yes: boolean };

interface Typed extends TypedMember {
  json?: boolean;
  yes?: boolean;
  replace?: boolean;
  fromProjects?: boolean;
  keyEnvOf?: string;
  wave?: string;
  member?: string[];
  label?: string[];
  perServer?: number;
  stopWhen?: number;
  soak?: number;
  tries?: number;
  target?: string;
  workers?: number;
  slots?: number;
  dryRun?: boolean;
  detach?: boolean;
  batchSize?: number;
  maxMs?: number;
  backup?: boolean;
  maxFailures?: string;
  onFailure?: 'stop' | 'rollback';
  force?: boolean;
  prometheus?: boolean;
  rollout?: number;
  despiteFailures?: boolean;
  as?: string;
}

type Examples = readonly (readonly [flags: string, text: string])[];

const examples = {
  init: [['', 'make what the fleet needs in the control database; again after an upgrade']],
  add: [
    ['acme --database-url-env ACME_DATABASE_URL --label eu', 'its database URL is a variable of the workers'],
    ['acme --database-url-file /run/secrets/acme --wave canary', 'or stands in a file on their machines'],
    ['acme --database-url-vault acme', 'or in the Vault of the control database'],
    ['shop --project-url https://<ref>.supabase.co --key-env SHOP_KEY', 'a project by its API'],
  ],
  import: [
    ['members.csv', 'a line each: name,database_url_env,label,wave,server'],
    ['members.json --replace', 'an array of objects with the same names'],
    ['--from-projects --key-env-of KEY_{ref}', 'the projects that SUPABASE_ACCESS_TOKEN manages'],
  ],
  list: [['--label eu', 'those of a label']],
  remove: [['acme', 'it is forgotten; its database stays as it is']],
  run: [
    ['avatars', 'all members, and a worker here where none is alive'],
    ['avatars --wave canary,10%,100% --soak 15m', 'one wave after the other, with a gate between'],
    ['avatars --per-server 3 --stop-when 2% --workers 4', 'caps, a budget, and four workers here'],
    ['avatars --dry-run', 'waves, who can be reached, versions, what each lacks; changes nothing'],
  ],
  status: [
    ['', 'how far it is'],
    ['--json', 'for scripts: one JSON object on stdout'],
    ['--prometheus', 'for a scraper'],
  ],
  pause: [['', 'running batches end, no other begins']],
  resume: [
    ['', 'go on'],
    ['--despite-failures', 'past a gate, without the members that failed'],
    ['--stop-when 10%', 'with a larger budget'],
  ],
  cancel: [['', 'end it; members stay where they are']],
  retry: [
    ['', 'try again what failed or was left alone'],
    ['--member acme', 'this one only'],
  ],
  rollback: [
    ['avatars --yes', 'all members'],
    ['avatars --member acme --yes', 'one'],
    ['avatars --label eu --wave 10%,100% --yes', 'those of a label, in waves'],
  ],
  push: [['--wave canary,100% --yes', 'supabase db push of the project in this folder, member by member']],
  doctor: [['', 'the control database, workers, secrets, each member']],
  worker: [
    ['--slots 8', 'until Ctrl-C; start as many as you like, anywhere'],
    ['--target acme --slots 2', 'help with this large member: two calls at a time beside its worker'],
  ],
} satisfies Record<string, Examples>;

type Name = keyof typeof examples;

const footer = `
Environment (also from .env): FLEET_DATABASE_URL, the control database (any PostgreSQL from 15 on, a Supabase project too; no
  transaction pooler); PGSSLROOTCERT; SUPABASE_ACCESS_TOKEN for import --from-projects; MIGRATION_LOG_LEVEL. Of workers also the
  variables that hold database URLs and keys of members.

Exit codes: 0 done, 1 failed, 2 wrong usage or refused, 3 members failed or were left alone, the rollout was stopped, or doctor
  has findings, 130 interrupted. docs/fleet.md has all of it.`;

const overview: Examples = [
  ['init', 'make what it needs in the control database'],
  ['add acme --database-url-env ACME_DATABASE_URL', 'a member'],
  ['run avatars --wave canary,10%,100% --per-server 3 --stop-when 2%', 'one plan over all of them'],
  ['status', 'how far it is'],
];

/** The parser; also what `--help` shows. */
export function parserOf(
  program: string,
  choose: (chosen: Choice, typed: Typed) => void = () => {},
): Command {
  const parser = new Command(program)
    .usage(usageText(program, 'command [options]'))
    .description('One plan over many databases: in waves, by any number of workers.')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', `\n${exampleText(program, overview)}\n${footer}`);
  const add = (name: Name, description: string): Command =>
    parser
      .command(name)
      .description(description)
      .helpOption('-h, --help', 'show this')
      .option('--json', 'one JSON object on stdout')
      .addHelpText(
        'after',
        `\n${exampleText(`${commandPrefix(program)} ${name}`, examples[name])}\n${footer}`,
      )
      .allowExcessArguments(false)
      .exitOverride()
      // What is wrong is said once, where the arguments are read.
      .configureOutput({ writeErr: () => {} });

  add('init', 'make the schema of the fleet in the control database').action((typed: Typed) =>
    choose({ command: 'init' }, typed),
  );
  described(add('add', 'add a member'))
    .argument('<name>', 'its name, of letters, digits and . _ - @')
    .option('--replace', 'also where there is one of this name')
    .action((name: string, typed: Typed) =>
      choose({ command: 'add', member: newMember(name, typed), replace: typed.replace ?? false }, typed),
    );
  marked(add('import', 'add members from a file, or the projects of an account'))
    .argument('[file]', 'CSV with a line of names first, or JSON')
    .option('--from-projects', 'the projects that SUPABASE_ACCESS_TOKEN manages')
    .option('--key-env-of <pattern>', 'with --from-projects: the variable of the key, like KEY_{ref}')
    .option('--replace', 'also those that are there')
    .action((file: string | undefined, typed: Typed) =>
      choose({ command: 'import', wish: importWish(file, typed), replace: typed.replace ?? false }, typed),
    );
  add('list', 'list the members')
    .option('--label <label>', 'those that have it; repeatable', collect)
    .action((typed: Typed) => choose({ command: 'list', labels: typed.label ?? [] }, typed));
  add('remove', 'forget members')
    .argument('<names...>', 'their names')
    .action((names: string[], typed: Typed) => choose({ command: 'remove', names }, typed));

  running(add('run', 'migrate members'))
    .argument('[plan]', 'the plan (default: avatars)', planName)
    .option('--batch-size <n>', 'of each run: entities per batch', wholeNumber(1, 10_000))
    .option('--max-ms <n>', 'of each run: time budget of one call in milliseconds', wholeNumber(1, 60_000))
    .option('--no-backup', 'of each run: write no undo journal; then there is no rollback')
    .option('--max-failures <n|p%>', 'of each run: set aside so many at most, then stop it', failureLimit)
    .option('--on-failure <what>', 'of each run: what to do then, stop or rollback', onFailure)
    .option('--dry-run', 'only look: waves, who can be reached, versions, what each lacks')
    .action((plan: string | undefined, typed: Typed) =>
      choose(
        {
          command: 'run',
          wish: typedWish('migrate', plan ?? 'avatars', typed),
          ...how(typed),
          dryRun: typed.dryRun ?? false,
        },
        typed,
      ),
    );
  running(add('rollback', 'take members back'))
    .argument('[plan]', 'the plan (default: avatars)', planName)
    .option('--force', 'restore over later edits as well')
    .option('-y, --yes', 'do not ask')
    .action((plan: string | undefined, typed: Typed) =>
      choose(
        {
          command: 'run',
          wish: typedWish('rollback', plan ?? 'avatars', typed),
          ...how(typed),
          dryRun: false,
        },
        typed,
      ),
    );
  running(add('push', 'push the migrations of this project to members'))
    .option('-y, --yes', 'do not ask')
    .action((typed: Typed) =>
      choose(
        { command: 'run', wish: typedWish('push', undefined, typed), ...how(typed), dryRun: false },
        typed,
      ),
    );

  const which = (name: Name, description: string): Command =>
    add(name, description)
      .argument('[plan]', 'the plan whose rollout it is (default: the open one, else the newest)', planName)
      .option('--rollout <n>', 'this rollout', wholeNumber(1, Number.MAX_SAFE_INTEGER));
  which('status', 'show how far a rollout is')
    .option('--prometheus', 'as text for Prometheus')
    .action((plan: string | undefined, typed: Typed) =>
      choose(
        { command: 'status', plan, rollout: typed.rollout, prometheus: typed.prometheus ?? false },
        typed,
      ),
    );
  const change = (action: 'pause' | 'resume' | 'cancel' | 'retry', description: string): Command =>
    which(action, description).action((plan: string | undefined, typed: Typed) =>
      choose(
        {
          command: 'change',
          action,
          plan,
          rollout: typed.rollout,
          members: typed.member ?? [],
          despiteFailures: typed.despiteFailures ?? false,
          stopPercent: typed.stopWhen,
        },
        typed,
      ),
    );
  change('pause', 'let a rollout rest');
  change('resume', 'go on with one that rests or was stopped')
    .option('--despite-failures', 'pass the gate without the members that failed')
    .option('--stop-when <p%>', 'a larger budget', percentage);
  change('cancel', 'end a rollout where it is');
  change('retry', 'try again what failed or was left alone').option(
    '--member <name>',
    'this one; repeatable',
    collect,
  );
  add('doctor', 'look at control database, workers, secrets and members').action((typed: Typed) =>
    choose({ command: 'doctor' }, typed),
  );
  add('worker', 'work members until Ctrl-C')
    .option('--slots <n>', 'members at the same time (default: 4)', wholeNumber(1, 64))
    .option('--as <name>', 'how it is called in status (default: host and process)')
    .option('--target <member>', 'help with this large one only; slots are calls at a time (default: 1)')
    .action((typed: Typed) =>
      choose(
        {
          command: 'worker',
          slots: typed.slots ?? (typed.target === undefined ? usualSlots : 1),
          name: typed.as,
          target: typed.target,
        },
        typed,
      ),
    );
  return parser;
}

const usualSlots = 4;

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], program: string): Options {
  let options: Options | undefined;
  const parser = parserOf(program, (chosen, typed) => {
    options = { ...chosen, json: typed.json ?? false, yes: typed.yes ?? false };
  });
  readArguments(parser, argv);
  if (!options) throw new UsageError('A command is missing.', helpHint(program, 'lists them'));
  return options;
}

/** The options that say what a member is like. */
function marked(command: Command): Command {
  return command
    .option('--label <label>', 'by which members are chosen; repeatable', collect)
    .option('--wave <name>', 'the named wave that it belongs to, like canary')
    .option('--server <name>', 'the server that it shares with others (default: host and port)');
}

/** And where it is, and where its secret lies. */
function described(command: Command): Command {
  return marked(command)
    .option('--database-url-env <variable>', 'its database URL lies in this variable of the workers')
    .option('--database-url-file <path>', 'or in this file on their machines')
    .option('--database-url-vault <name>', 'or in the Vault of the control database')
    .option('--project-url <url>', 'or it is reached by the API of its project')
    .option('--key-env <variable>', 'with --project-url: its secret key lies in this variable')
    .option('--key-file <path>', 'or in this file')
    .option('--key-vault <name>', 'or in the Vault of the control database');
}

/** The options of what is rolled out. */
function running(command: Command): Command {
  return command
    .option('--wave <list>', 'named waves and percentages of all, in order (default: 100%)')
    .option('--member <name>', 'this member only; repeatable', collect)
    .option('--label <label>', 'members that have it only; repeatable', collect)
    .option('--per-server <n>', 'members of one server at the same time', wholeNumber(1, largestCap))
    .option(
      '--stop-when <p%>',
      'stop when more than so many of all members failed (default: 10%)',
      percentage,
    )
    .option('--soak <period>', 'rest after a wave, then check it again: 30s, 15m, 2h', period)
    .option('--tries <n>', 'tries of a member that cannot be reached (default: 10)', wholeNumber(1, 1_000))
    .option(
      '--workers <n>',
      'start so many workers here meanwhile (default: 1, where none is alive)',
      wholeNumber(0, 64),
    )
    .option('--slots <n>', 'members at the same time of each of these (default: 4)', wholeNumber(1, 64))
    .option('--detach', 'only begin it');
}

function how({ workers, slots = usualSlots, detach = false }: Typed): {
  local: LocalWorkers;
  detach: boolean;
} {
  if (detach && workers !== undefined)
    throw new UsageError(
      '--detach and --workers exclude each other.',
      'Workers that outlive it: imago fleet worker',
    );
  return { local: { workers, slots }, detach };
}

function typedWish(kind: Wish['kind'], plan: string | undefined, typed: Typed): Wish {
  const { wave, member = [], label = [], perServer, stopWhen, soak, tries } = typed;
  const { maxMs, batchSize, backup, maxFailures, onFailure, force } = typed;
  return wishOf(kind, plan, {
    ...(wave !== undefined && { waves: wavesOf(wave) }),
    members: [...new Set(member)].sort(),
    labels: [...new Set(label)].sort(),
    perServer,
    ...(stopWhen !== undefined && { stopPercent: stopWhen }),
    ...(soak !== undefined && { soakSeconds: soak }),
    ...(tries !== undefined && { tries }),
    run: {
      ...(maxMs !== undefined && { max_ms: maxMs }),
      ...(batchSize !== undefined && { batch_size: batchSize }),
      ...(backup === false && { backup }),
      ...(maxFailures !== undefined && { max_failures: maxFailures }),
      ...(onFailure !== undefined && { on_failure: onFailure }),
      ...(force && { force }),
    },
  });
}

function wavesOf(list: string): string[] {
  const waves = list.split(',').map((name) => name.trim());
  const wrong = waves.find((name) => !/^([a-z][a-z0-9_-]{0,40}|(100|\d{1,2})(\.\d+)?%)$/.test(name));
  if (wrong !== undefined) {
    throw new UsageError(
      `--wave has "${wrong}", which is neither a name nor a percentage.`,
      'It is a list like canary,10%,100%: names as members have them, and percentages of all.',
    );
  }
  const twice = waves.find((name, i) => waves.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError(`--wave has ${twice} twice.`);
  const shares = waves.filter((name) => name.endsWith('%')).map((share) => Number.parseFloat(share));
  if (shares.some((share, i) => share <= (shares[i - 1] ?? 0))) {
    throw new UsageError('The percentages of --wave must grow: 10%,100% are a tenth, then the rest.');
  }
  return waves;
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

function percentage(value: string): number {
  if (/^(100|\d{1,2})(\.\d{1,4})?%?$/.test(value)) return Number.parseFloat(value);
  throw new InvalidArgumentError('It must be a percentage, like 2%.');
}

const units = { s: 1, m: 60, h: 3_600 } as const;

function period(value: string): number {
  const [, count, unit] = /^(\d{1,5})([smh])$/.exec(value) ?? [];
  if (count === undefined) throw new InvalidArgumentError('It must be a period, like 30s, 15m or 2h.');
  return Number(count) * units[unit as keyof typeof units];
}

function failureLimit(value: string): string {
  if (maxFailures.safeParse(value).success) return value;
  throw new InvalidArgumentError('It must be a number, like 250, or a percentage, like 2%.');
}

function onFailure(value: string): string {
  if (value === 'stop' || value === 'rollback') return value;
  throw new InvalidArgumentError('It must be stop or rollback.');
}
