/** Asks a person something. */
import { createInterface } from 'node:readline/promises';
import { shown } from './printable.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage.ts';

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
  return /^y(es)?$/i.test(await answerOf(`${question} [y/N] `, terminal, signal));
}

/** What is typed as an answer; nothing where it is interrupted. */
export async function answerOf(question: string, terminal: Terminal, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: terminal.stream });
  // In raw mode the terminal does not turn Ctrl-C into a signal; readline tells instead.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return (await lines.question(shown(question), { signal })).trim();
  } catch (error) {
    if (signal.aborted) return '';
    throw error;
  } finally {
    lines.close();
  }
}
