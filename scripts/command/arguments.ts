/** Reads the arguments of a command with its parser, and tells wrong usage from a wish for help. */
import { type Command, CommanderError, InvalidArgumentError, type OptionValues } from 'commander';
import { z } from 'zod';
import { expectComplete } from './complete.ts';
import { commandLine, commandPrefix } from './invocation.ts';
import { writeText } from './streams.ts';
import { UsageError } from './usage.ts';

/** --help was asked for and printed. */
export class HelpShown extends Error {
  override readonly name = 'HelpShown';
}

/** What to say of an option that the parser does not know; undefined where there is nothing better to say. */
export type ExplainOption = (flag: string) => UsageError | undefined;

/** Parses the arguments (without node and script). Throws {@link UsageError} or {@link HelpShown}. */
export function readArguments(
  parser: Command,
  argv: readonly string[],
  explain: ExplainOption = () => undefined,
): OptionValues {
  expectComplete(parser, argv);
  let complaint = '';
  for (const command of [parser, ...parser.commands]) {
    command.configureOutput({ writeOut: (text) => writeText(...text.trimEnd().split('\n')) });
  }
  parser.exitOverride().configureOutput({
    writeErr: (text) => {
      complaint += text;
    },
  });
  try {
    return parser.parse(argv, { from: 'user' }).opts();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new HelpShown();
    const hint = helpOf(parser, argv[0]);
    // The whole help is what commander says then.
    if (error.code === 'commander.help') throw new UsageError('A command is missing.', hint);
    // What it suggests stands in a line of its own.
    const message = (complaint || error.message)
      .replace(/^error: /, '')
      .trim()
      .replaceAll('\n', ' ');
    const flag = error.code === 'commander.unknownOption' ? quoted(message) : undefined;
    throw (flag !== undefined && explain(flag)) || new UsageError(message, hint);
  }
}

/** What commander quotes in a message: it says it nowhere else. */
function quoted(message: string): string | undefined {
  return /'([^']+)'/.exec(message)?.[1];
}

/** Where the options of a command are listed, or the commands of one that has some. */
function helpOf(parser: Command, first: string | undefined): string {
  const command = parser.commands.find((candidate) => candidate.name() === first);
  if (command) return helpHint(`${commandPrefix(parser.name())} ${command.name()}`);
  return helpHint(parser.name(), parser.commands.length > 0 ? 'lists the commands' : undefined);
}

/** Where the options are listed. */
export function helpHint(name: string, what = 'lists the options'): string {
  return `${commandLine(name, ['--help'])} ${what}.`;
}

/** The name of a plan, as an option's value. */
export function planName(value: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(value)) return value;
  throw new InvalidArgumentError('It must be the name of a plan, like avatars.');
}

/** A whole number within bounds, as an option's value. */
export function wholeNumber(from: number, to: number) {
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(from).max(to));
  return (value: string): number => {
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      throw new InvalidArgumentError(
        `It must be a whole number from ${from} to ${to.toLocaleString('en-US')}.`,
      );
    }
    return parsed.data;
  };
}
