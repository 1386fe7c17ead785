/** The options of `npm run bench -- foreground`. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { type MethodKey, methods } from '../methods.ts';
import { Stop } from '../options.ts';

/** Who is written: everybody as often, or a few users most of the time. */
export type Writers = 'uniform' | 'zipf';

export interface ForegroundOptions {
  users: number;
  /** Transactions of the app a second. */
  rate: number;
  /** How long each line is measured. */
  seconds: number;
  writers: readonly Writers[];
  only: readonly MethodKey[];
  json: boolean;
}

/** Lines whose work goes on beside others: one over HTTP has the Data API beside it, and r needs a migration first. */
const possible: readonly MethodKey[] = ['a', 'b', 'c', 'd', 'f', 'h', 'i', 'j', 'k', 'p'];

/** Parses the arguments behind the word foreground. */
export function parseForeground(argv: readonly string[]): ForegroundOptions {
  const command = new Command('npm run bench -- foreground')
    .usage('[options]')
    .description(
      'Measures the latency of an app while a migration runs beside it, against that of the app alone.',
    )
    .option('--users <n>', 'users, with 5 posts and 2 follows each', wholeNumber, 100_000)
    .option('--rate <n>', 'transactions of the app a second', wholeNumber, 150)
    .option('--seconds <n>', 'how long each line is measured', wholeNumber, 20)
    .option('--writers <names>', 'uniform, zipf, or both (default: uniform,zipf)', writers)
    .option('--only <letters>', 'only these lines, like a,b (default: a,b,c,i,j,k,p)', letters)
    .option('--json', 'one JSON object on stdout instead of the table')
    .helpOption('-h, --help', 'show this')
    .addHelpText(
      'after',
      `\nLines:\n${methods
        .filter(({ key }) => possible.includes(key))
        .map(({ key, title }) => `  ${key}  ${title}`)
        .join('\n')}\n`,
    )
    .exitOverride();
  try {
    command.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new Stop(error.exitCode === 0 ? 0 : 2);
  }
  const given = command.opts<
    Pick<ForegroundOptions, 'users' | 'rate' | 'seconds'> & Partial<ForegroundOptions>
  >();
  return {
    ...given,
    writers: given.writers ?? ['uniform', 'zipf'],
    only: given.only ?? ['a', 'b', 'c', 'i', 'j', 'k', 'p'],
    json: given.json ?? false,
  };
}

function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,7}$/.test(value)) throw new InvalidArgumentError('It must be a whole number above zero.');
  return Number(value);
}

function writers(value: string): Writers[] {
  const names = value.split(',');
  const known = names.filter((name): name is Writers => name === 'uniform' || name === 'zipf');
  if (known.length < names.length)
    throw new InvalidArgumentError('It must be uniform, zipf, or uniform,zipf.');
  return known;
}

function letters(value: string): MethodKey[] {
  const wanted = value.split(',');
  const known = possible.filter((key) => wanted.includes(key));
  if (known.length < wanted.length)
    throw new InvalidArgumentError(`It must be some of ${possible.join(',')}.`);
  return known;
}
