/** How a command that has no result to show says what kept it from one. */
import type { Problem } from '../../functions/_shared/answers.ts';
import { indented } from './printable.ts';
import { problemOf } from './problem.ts';
import { writeLine } from './streams.ts';
import { Terminal } from './terminal.ts';
import type { UsageError } from './usage.ts';

/** Wrong usage, or a failure, and the exit code of each. */
const exitCodes = { usage: 2, failed: 1 } as const;

/** Wrong usage, found before anything is called: said on stderr, and with --json as the one object as well. */
export function refuse({ message, hint }: UsageError, argv: readonly string[]): number {
  return say('usage', { code: 'usage', message, hint }, new Terminal('info'), argv.includes('--json'));
}

/** A failure, in the same two ways. */
export function fail(error: unknown, terminal: Terminal, json: boolean): number {
  return say('failed', problemOf(error), terminal, json);
}

function say(
  status: keyof typeof exitCodes,
  { code, message, hint }: Problem,
  terminal: Terminal,
  json: boolean,
): number {
  const exitCode = exitCodes[status];
  // What is wrong with a command line may take more lines than one; what a server says is one.
  terminal.error(message ?? '', hint && status === 'usage' ? indented(hint) : (hint ?? undefined));
  if (json) {
    writeLine({ type: 'result', status, exit_code: exitCode, message, error: { code, message, hint } });
  }
  return exitCode;
}
