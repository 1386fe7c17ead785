/** Wrong usage, found before anything is called. */

import { writeLine } from './streams.ts';
import { Terminal } from './terminal.ts';
import type { UsageError } from './usage.ts';

/** The exit code of wrong usage. */
const exitCode = 2;

/** Says on stderr what is wrong, and with --json as the one object as well; gives the exit code. */
export function refuse(error: UsageError, argv: readonly string[]): number {
  new Terminal('info').error(error.message, error.hint);
  if (argv.includes('--json')) {
    writeLine({
      type: 'result',
      status: 'usage',
      exit_code: exitCode,
      message: error.message,
      error: { code: 'usage', message: error.message, hint: error.hint },
    });
  }
  return exitCode;
}
