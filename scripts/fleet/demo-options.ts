/** The options of `npm run fleet:demo`. */
import { Command } from 'commander';
import { readArguments, wholeNumber } from '../command/arguments.ts';
import { exampleText, usageText } from '../command/invocation.ts';

export interface Options {
  members: number;
  users: number;
  workers: number;
  kills: number;
}

const examples = [
  ['', '20 tenants of 500 users, two workers'],
  ['--kills 3', 'and three workers killed on the way'],
] as const;

/** The parser; also what `--help` shows. */
export function parserOf(name: string): Command {
  return new Command(name)
    .usage(usageText(name, '[options]'))
    .description(
      'Makes a control database and tenants on a PostgreSQL of its own, migrates them in waves, and removes all of it.',
    )
    .option('--members <n>', 'tenant databases', wholeNumber(3, 500), 20)
    .option('--users <n>', 'users of each', wholeNumber(10, 100_000), 500)
    .option('--workers <n>', 'worker processes', wholeNumber(1, 16), 2)
    .option('--kills <n>', 'workers to kill on the way (kill -9)', wholeNumber(0, 20), 0)
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', `\n${exampleText(name, examples)}\n`);
}

/** Parses the arguments (without node and script). Throws what {@link readArguments} throws. */
export function parseOptions(argv: readonly string[], name: string): Options {
  return readArguments(parserOf(name), argv) as Options;
}
