/** What every action works with. */
import type { Caller } from '../command/caller.ts';
import { planFlags } from '../command/invocation.ts';
import type { Terminal } from '../command/terminal.ts';
import type { Options } from './options.ts';
import { spelled } from './spelling.ts';

export interface Context {
  options: Options;
  terminal: Terminal;
  caller: Caller;
  /** The first Ctrl-C. */
  signal: AbortSignal;
  /** How the command is typed. */
  program: string;
  databaseUrl: string | undefined;
  /** False when nobody but this command can be driving batches. */
  shared: boolean;
  /** One line of NDJSON on stdout. */
  emit: (line: Record<string, unknown>) => void;
}

/** The command line for a next step on the same plan, by the flags that it has in `npm run migrate`. */
export function nextCommand(context: Context, ...flags: string[]): string {
  return spelled(context.program, [...planFlags(context.options), ...flags]);
}
