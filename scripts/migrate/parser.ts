/** The parser of each command on a plan, with the options that mean something there. */
import { Argument, Command, Option } from 'commander';
import { planName } from '../command/arguments.ts';
import { usageText } from '../command/invocation.ts';
import { type CommandName, flagsOf } from './actions.ts';
import { dryRunModes, type FlagName, flagNames, option, rateOrNone } from './flags.ts';
import { footer, helpOf } from './help.ts';
import { takesFlags } from './spelling.ts';

/** What differs from the flag of the same name in single commands. */
const changes: Partial<Record<CommandName, Partial<Record<FlagName, Parameters<typeof option>[1]>>>> = {
  rollback: { user: { of: '' }, force: { of: '' } },
  finalize: {
    allowDataLoss: { of: '' },
    dryRun: { typed: '--dry-run', says: 'only show the steps' },
  },
  cleanup: { olderThan: { of: '' }, dryRun: { typed: '--dry-run', says: 'only say how much' } },
  throttle: {
    hours: { mayBeEmpty: true },
    maxPerSecond: { mayBeEmpty: true, value: rateOrNone },
    throttleQuery: { mayBeEmpty: true },
    ignoreSignal: { mayBeEmpty: true },
  },
  schedule: { finalize: { says: 'go the steps of finalize instead, to their end' } },
};

/** They ask nothing. */
const silent: ReadonlySet<CommandName> = new Set(['dry-run', 'status', 'watch']);

/** The parser of a command; also what its `--help` shows. That of `migrate` knows all actions by their flags. */
export function parserOf(command: CommandName, program: string): Command {
  const all = command === 'migrate';
  const asFlags = takesFlags(program);
  const made = new Command(program)
    .usage(usageText(program, command === 'dry-run' ? '[mode] [options]' : '[options]'))
    .description(sentence(helpOf[command].says))
    .option('--plan <name>', 'the plan', planName, 'avatars');
  if (command === 'dry-run') {
    made.addArgument(new Argument('[mode]', 'what is tried (default: sample)').choices(dryRunModes));
  }
  const shown = new Set<FlagName>(all ? [...flagsOf(command), 'dryRun'] : flagsOf(command));
  for (const name of flagNames) {
    if (name === 'every' ? command !== 'schedule' : !all && !shown.has(name)) continue;
    made.addOption(option(name, changes[command]?.[name]).hideHelp(!asFlags && !shown.has(name)));
  }
  const lines = {
    migrate: '; with --watch a line for each step as well',
    watch: ', and a line for each step',
  };
  const more = command === 'watch' || (all && asFlags) ? lines[command] : '';
  made.addOption(new Option('--json', `one JSON object on stdout${more}`));
  if (!silent.has(command)) made.option('-y, --yes', 'do not ask');
  return made
    .option('--verbose', 'show each call with its duration')
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', footer(command, program, asFlags))
    .allowExcessArguments(true);
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
