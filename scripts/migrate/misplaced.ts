/** What to say of an option or a word that stands at the wrong command: where it belongs, as it is typed there. */
import { helpHint } from '../command/arguments.ts';
import { siblingName } from '../command/invocation.ts';
import { UsageError } from '../command/usage.ts';
import { actionOf, actions, type CommandName, commandNames, flagsOf } from './actions.ts';
import { type FlagName, flagNames, flagText } from './flags.ts';
import { commandOfFlag, spelled, takesFlags } from './spelling.ts';

/** An option that this command does not take; undefined where no other one does. */
export function explainFlag(typed: string, command: CommandName, program: string): UsageError | undefined {
  const [flag = ''] = typed.split('=');
  if (flag === '--yes' || flag === '-y') {
    return new UsageError(`${program} asks nothing: leave ${flag} out.`);
  }
  const own = commandOfFlag(flag);
  if (own === command) return new UsageError(`${program} is that already: leave ${flag} out.`);
  const name = flagNames.find((known) => flagText(known) === flag);
  const takers = commandNames.filter((other) => name && takes(other, name));
  if (own !== undefined && takers.length === 0) {
    return new UsageError(`${flag} is a command of its own.`, `Type: ${siblingName(program, own)}`);
  }
  if (takers.length === 0) return undefined;
  if (takers.includes(command)) return new UsageError(`${flag} takes no value in ${program}.`);
  const names = takers.map((taker) => (takesFlags(program) ? `imago ${taker}` : siblingName(program, taker)));
  return new UsageError(`${program} does not take ${flag}.`, `It goes with ${listed(names)}.`);
}

/** `--finalize` is an option of schedule, and who types it elsewhere means the command. */
function takes(command: CommandName, name: FlagName): boolean {
  if (command === 'migrate' && name === 'dryRun') return true;
  return flagsOf(command).includes(name) && name !== 'finalize';
}

function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join();
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** A word where only options stand. */
export function explainArgument(word: string, command: CommandName, program: string): UsageError {
  const message = `too many arguments: ${word}`;
  const meant = commandNames.find((name) => name === word);
  if (meant === undefined || meant === command) return new UsageError(message, helpHint(program));
  const { flag } = actions[actionOf(meant)];
  if (flag !== undefined) return new UsageError(message, `Type: ${spelled(program, [flagText(flag)])}`);
  const bin = takesFlags(program) ? 'npm run imago -- migrate' : program;
  return new UsageError(message, `Type: ${siblingName(bin, meant)}`);
}
