/** The bin `imago`: finds the command, which reads the rest. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import { HelpShown, helpHint, readArguments } from '../command/arguments.ts';
import { binName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import { refuse } from '../command/refuse.ts';
import { UsageError } from '../command/usage.ts';
import { commandOfFlag } from '../migrate/spelling.ts';
import { packageFolder } from '../package.ts';
import { entries } from './commands.ts';

const packageSchema = z.object({ version: z.string(), description: z.string() });

/** Runs the bin with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const [first = '', ...rest] = argv[0] === 'help' ? [...argv.slice(1, 2), '--help'] : argv;
  const entry = entries.find(({ name }) => name === first);
  if (entry) return await (await entry.load())(rest);
  try {
    const program = parser();
    if (first === '') {
      const help = program.helpInformation().trim().split('\n');
      throw new UsageError('A command is missing.', ['', ...help].join(lineBreak));
    }
    const meant = commandOfFlag(`--${first}`);
    if (meant) throw new UsageError(`There is no command ${first}.`, typeThis(meant));
    readArguments(program, [first, ...rest], explainFlag);
    throw new UsageError(`There is no command ${first}.`, helpHint(program.name(), 'lists them'));
  } catch (error) {
    if (error instanceof HelpShown) return 0;
    if (!(error instanceof UsageError)) throw error;
    return refuse(error, argv);
  }
}

/** The list of commands; each reads its own options. */
function parser(): Command {
  const { version, description } = packageSchema.parse(
    JSON.parse(readFileSync(path.join(packageFolder, 'package.json'), 'utf8')),
  );
  const name = binName();
  const program = new Command(name)
    .usage('<command> [options]')
    .description(`${description}.`)
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\n${helpHint(`${name} <command>`, 'lists the options of a command, with examples')}`,
    );
  for (const { name: command, says, group } of entries) {
    program.commandsGroup(`${group}:`).command(command).description(says).helpOption(false);
  }
  return program;
}

/** The flags of `npm run migrate` are commands here. */
function explainFlag(flag: string): UsageError | undefined {
  const meant = commandOfFlag(flag);
  return meant && new UsageError(`${flag} is a command here.`, typeThis(meant));
}

const typeThis = (command: string): string => `Type: ${binName()} ${command}`;
