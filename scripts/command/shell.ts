/** What every command does around its work: reads, refuses, listens for Ctrl-C, lets go of what it holds, reports. */
import { HelpShown } from './arguments.ts';
import { expectPlaces } from './environment.ts';
import { onInterrupt } from './interrupt.ts';
import { programName } from './invocation.ts';
import { expectNothingKept, isBelowNpm } from './kept-by-npm.ts';
import { indented } from './printable.ts';
import { refuse } from './refuse.ts';
import { outliveReaders } from './streams.ts';
import { type Level, Terminal } from './terminal.ts';
import { UsageError } from './usage.ts';

/** What the work of a command is given. */
export interface Desk {
  terminal: Terminal;
  /** Aborted by the first Ctrl-C. */
  signal: AbortSignal;
  /** Has something let go of at the end, the last first. */
  atEnd: (letGo: () => Promise<unknown>) => void;
}

export interface Shell<Read, Ending> {
  /** Its name. */
  command: string;
  /** Reads arguments and environment, and refuses by {@link UsageError} what cannot work. Calls nobody. */
  read: () => Read;
  /** What is shown on stderr; info where it is left out. */
  level?: (read: Read) => Level | undefined;
  /** What the first and the second Ctrl-C say. Without it a signal ends the process at once. */
  stopping?: (read: Read) => { first: string; second: string };
  act: (read: Read, desk: Desk) => Promise<Ending>;
  /** What an error comes to. */
  failed: (read: Read, error: unknown, desk: Desk) => Ending;
  /** What an error comes to that follows a Ctrl-C; where it is left out, `failed` decides. */
  stopped?: Ending;
  /** Says how it ended, when everything is let go of; gives the exit code. */
  report: (read: Read, ending: Ending, terminal: Terminal) => number;
}

/** Runs a command; gives its exit code. The arguments are those that `read` reads. */
export async function runShell<Read, Ending>(
  argv: readonly string[],
  shell: Shell<Read, Ending>,
): Promise<number> {
  let read: Read;
  try {
    await expectWholeCall(argv, shell.command);
    read = shell.read();
  } catch (error) {
    if (error instanceof HelpShown) return 0;
    if (!(error instanceof UsageError)) throw error;
    return refuse(error, argv);
  }
  const terminal = new Terminal(shell.level?.(read) ?? 'info');
  const words = shell.stopping?.(read);
  const interrupt =
    words &&
    onInterrupt(
      () => terminal.warn(words.first),
      () => terminal.warn(words.second),
    );
  const lettingGo: (() => Promise<unknown>)[] = [];
  const desk: Desk = {
    terminal,
    signal: interrupt?.signal ?? new AbortController().signal,
    atEnd: (letGo) => lettingGo.push(letGo),
  };
  let ending: Ending;
  try {
    ending = await shell.act(read, desk);
  } catch (error) {
    ending =
      desk.signal.aborted && shell.stopped !== undefined ? shell.stopped : shell.failed(read, error, desk);
  } finally {
    for (const letGo of lettingGo.reverse()) await letGo();
    interrupt?.release();
  }
  return shell.report(read, ending, terminal);
}

/** Nothing of what was said has been lost on the way here. */
async function expectWholeCall(argv: readonly string[], command: string): Promise<void> {
  expectPlaces();
  if (!isBelowNpm(process.env)) return;
  const { parsers } = await import('../imago/parsers.ts');
  const program = programName(command);
  const own = parsers.get(command);
  if (own === undefined) throw new Error(`the command ${command} has no parser`);
  const all = [...parsers.values()].map((parserOf) => parserOf(program));
  expectNothingKept(argv, own(program), all, process.env);
}

/** The process of one command. */
export async function start(run: (argv: readonly string[]) => Promise<number>): Promise<void> {
  outliveReaders();
  try {
    process.exitCode = await run(process.argv.slice(2));
  } catch (error) {
    // Nobody has foreseen it, and what it quotes may come from anywhere.
    new Terminal('error').error(indented(String((error as Error).stack ?? error)));
    process.exitCode = 1;
  }
}
