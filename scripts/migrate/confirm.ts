/** Asks before something is changed that is not the embedded playground. */
import { createInterface } from 'node:readline/promises';
import type { Options } from './options.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage.ts';

/** One sentence for each action that changes something. */
function question(options: Options): string {
  switch (options.action) {
    case 'rollback':
      return `Take back the whole migration "${options.plan}"${options.force ? ', also where people changed values since (--force)' : ''}?`;
    case 'rollback-user':
      return `Take back user ${options.user}${options.force ? ', also over later changes (--force)' : ''}?`;
    case 'pause':
    case 'cancel':
      return `${options.action === 'pause' ? 'Pause' : 'Cancel'} the run of "${options.plan}"?`;
    default:
      return `Run the migration "${options.plan}"${options.backup ? '' : ' WITHOUT an undo journal (no rollback)'}?`;
  }
}

/** True when the action may go on. Throws a UsageError when nobody is there to answer. */
export async function confirmed(options: Options, terminal: Terminal, signal: AbortSignal): Promise<boolean> {
  if (options.yes) return true;
  expectSomebody('This changes a project that is not the embedded one');
  return await ask(question(options), terminal, signal);
}

/** Throws a UsageError where a question could not be answered. */
export function expectSomebody(why: string): void {
  if (process.stdin.isTTY) return;
  throw new UsageError(
    `${why}, and nobody is here to be asked (stdin is no terminal).`,
    'Add --yes when you mean it.',
  );
}

/** Asks a question; true when the answer is yes. */
export async function ask(question: string, terminal: Terminal, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: terminal.stream });
  // In raw mode the terminal does not turn Ctrl-C into a signal; readline tells instead.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    lines.close();
  }
}
