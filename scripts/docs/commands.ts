/** What can be typed: the table of commands, as their sources have it. */
import { npmScripts } from '../command/invocation.ts';
import { entries } from '../imago/commands.ts';
import { actionOf, actions, commandNames } from '../migrate/actions.ts';
import { flagText } from '../migrate/flags.ts';
import { helpOf } from '../migrate/help.ts';
import { table } from './markdown.ts';

/** The commands on a plan, and the flag of `npm run migrate` that is the same. */
export function commands(): string {
  const rows = commandNames.map((name) => {
    const { flag } = actions[actionOf(name)];
    const same = name === 'migrate' ? '`npm run migrate`' : flag ? `\`${flagText(flag)}\`` : '';
    return [`\`${name}\``, same, helpOf[name].says];
  });
  return table(['command', 'flag of `npm run migrate`', 'what it does'], rows);
}

/** The other commands of the bin. */
export function others(): string {
  const rows = entries
    .filter(({ name }) => !(commandNames as readonly string[]).includes(name))
    .map(({ name, says }) => [`\`${name}\``, npmScripts.has(name) ? `\`npm run ${name}\`` : '', says]);
  return table(['command', 'script', 'what it does'], rows);
}
