/** How what comes next is typed: as flags of `npm run migrate`, as a command of the bin. */
import { commandLine, siblingName } from '../command/invocation.ts';
import { type Action, actions, type CommandName } from './actions.ts';
import { flagText } from './flags.ts';

/** The command that a flag of `migrate` is the same as: `--stats-only` is `status`. */
export function commandOfFlag(flag: string): CommandName | undefined {
  const rules = (Object.keys(actions) as Action[]).map((action) => actions[action]);
  return rules.find((rule) => rule.flag !== undefined && flagText(rule.flag) === flag)?.command;
}

/** Whether every action is a flag of this one command, as in `npm run migrate`. */
export function takesFlags(program: string): boolean {
  return !/(^| )imago /.test(program);
}

/**
 * The command line that does what `migrate` does with these flags. Scripts of npm and modules take the flags; from a
 * command of the bin it is a command of the bin as well: `imago rollback --force`.
 */
export function spelled(program: string, flags: readonly string[]): string {
  if (takesFlags(program)) return commandLine(program, flags);
  for (const [i, flag] of flags.entries()) {
    const [name = '', mode] = flag.split('=');
    const command = commandOfFlag(name);
    if (command === undefined) continue;
    const rest = [...(mode === undefined ? [] : [mode]), ...flags.toSpliced(i, 1)];
    return commandLine(siblingName(program, command), rest);
  }
  return commandLine(siblingName(program, 'migrate'), flags);
}
