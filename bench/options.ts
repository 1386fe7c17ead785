/** The options of `npm run bench`. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { methods as all, type MethodKey } from './methods.ts';

export interface Options {
  users: number;
  /** What is measured at this number of users. */
  only: readonly MethodKey[];
  /** Numbers of users at which (b) is measured. */
  scale: readonly number[];
  rounds: number;
  json: boolean;
  /** The file whose block of results is rewritten. */
  markdown: string | undefined;
}

/** Wrong usage, or --help: already said, only the exit code is left. */
export class Stop extends Error {
  override readonly name = 'Stop';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super();
    this.exitCode = exitCode;
  }
}

const methods = all.filter((method) => !method.besideApp);

/** A user follows two others, the nearest and the seventh: fewer users than this would follow themselves. */
const fewestUsers = 10;

/** Parses the arguments (without node and script). */
export function parseOptions(argv: readonly string[]): Options {
  const command = new Command('npm run bench')
    .usage('-- [options]')
    .description(
      'Measures Imago against other ways to do the same migration, on a PostgreSQL server of its own.',
    )
    .option('--users <n>', 'users, with 5 posts and 2 follows each', atLeastTen, 100_000)
    .option('--only <letters>', 'only these lines, like a,b,f', letters)
    .option(
      '--scale <n,n,…>',
      'users at which (b) is measured; none skips it (default: users / 10, × 1, × 10)',
      sizes,
    )
    .option('--rounds <n>', 'how often a to f and r are measured, the sizes twice at most', wholeNumber, 3)
    .option('--json', 'one JSON object on stdout instead of the tables')
    .option('--markdown [file]', 'write the tables into this file as well (default: docs/benchmarks.md)')
    .helpOption('-h, --help', 'show this')
    .addHelpText(
      'after',
      `\nWhat the app feels meanwhile: npm run bench -- foreground --help\nWhat the governor costs: npm run bench -- governor --help\nA replication slot that is read slowly: npm run bench -- slot --help\nMany databases at once: npm run bench -- fleet --help\n\nLines:\n${methods.map(({ key, title }) => `  ${key}  ${title}`).join('\n')}\n`,
    )
    .exitOverride();
  parseOrStop(command, argv);
  const given = command.opts<{
    users: number;
    only?: MethodKey[];
    scale?: number[];
    rounds: number;
    json?: boolean;
    markdown?: string | true;
  }>();
  const tenths = [given.users / 10, given.users, given.users * 10].map(Math.round);
  return {
    users: given.users,
    only: given.only ?? methods.map((method) => method.key),
    // Whoever names lines wants these and no others.
    scale: given.scale ?? (given.only ? [] : tenths.filter((size) => size >= fewestUsers)),
    rounds: given.rounds,
    json: given.json ?? false,
    markdown: given.markdown === true ? 'docs/benchmarks.md' : given.markdown,
  };
}

/** Parses the arguments behind the word governor or slot, which have no lines to choose from. */
export function parseSizes(
  name: string,
  description: string,
  argv: readonly string[],
  defaults: { users: number; rounds?: number; keep?: number },
): { users: number; rounds: number; keep: number; json: boolean } {
  const command = new Command(`npm run bench -- ${name}`)
    .usage('[options]')
    .description(description)
    .option('--users <n>', 'users, with 5 posts and 2 follows each', atLeastTen, defaults.users)
    .option('--json', 'one JSON object on stdout instead of the table')
    .helpOption('-h, --help', 'show this')
    .exitOverride();
  if (defaults.rounds !== undefined)
    command.option('--rounds <n>', 'how often both are measured', wholeNumber, defaults.rounds);
  if (defaults.keep !== undefined)
    command.option('--keep <n>', 'megabytes that the slot may keep', wholeNumber, defaults.keep);
  parseOrStop(command, argv);
  const {
    users,
    rounds = 1,
    keep = 0,
    json = false,
  } = command.opts<{
    users: number;
    rounds?: number;
    keep?: number;
    json?: boolean;
  }>();
  return { users, rounds, keep, json };
}

function parseOrStop(command: Command, argv: readonly string[]): void {
  try {
    command.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new Stop(error.exitCode === 0 ? 0 : 2);
  }
}

function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,7}$/.test(value)) throw new InvalidArgumentError('It must be a whole number above zero.');
  return Number(value);
}

function atLeastTen(value: string): number {
  const number = wholeNumber(value);
  if (number < fewestUsers) throw new InvalidArgumentError(`It must be at least ${fewestUsers}.`);
  return number;
}

function letters(value: string): MethodKey[] {
  const known = methods.map((method) => method.key);
  const unknown = value.split(',').filter((letter) => !known.includes(letter as MethodKey));
  if (unknown.length > 0) {
    throw new InvalidArgumentError(`There is no line ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  }
  return known.filter((key) => value.split(',').includes(key));
}

function sizes(value: string): number[] {
  return value === 'none' ? [] : value.split(',').map(atLeastTen);
}
