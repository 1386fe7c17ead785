/** One invocation of `db`, from the arguments to the exit code. */
import path from 'node:path';
import { ask, expectSomebody } from '../command/ask.ts';
import { commandPrefix, programName } from '../command/invocation.ts';
import { indented } from '../command/printable.ts';
import { type Desk, runShell } from '../command/shell.ts';
import { writeLine, writeText } from '../command/streams.ts';
import type { Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { answerTo } from '../connection/open.ts';
import { type Context, Declined, type Ending, exitCodes } from './context.ts';
import { readDbEnvironment } from './environment.ts';
import { type CommandName, type Options, parseOptions } from './options.ts';
import { Problem, refusals } from './problem.ts';
import { expectProject, findProject } from './project.ts';
import { PRISTINE, startServer } from './server.ts';
import { openTarget, unreachable } from './session.ts';
import { calledIn, chooseTarget, describe, reach, serverFolder } from './target.ts';

/** It could not be done, or was refused. */
interface Failure {
  error: unknown;
}

/** Loaded when they are asked for: to load all takes longer than most of them. */
const doing: Record<CommandName, () => Promise<(context: Context) => Promise<Ending>>> = {
  init: async () => (await import('./init.ts')).init,
  migrate: async () => (await import('./migrate.ts')).migrate,
  upgrade: async () => (await import('./upgrade.ts')).upgrade,
  downgrade: async () => (await import('./downgrade.ts')).downgrade,
  status: async () => (await import('./status.ts')).status,
  history: async () => (await import('./status.ts')).history,
  check: async () => (await import('./check.ts')).check,
  stamp: async () => (await import('./stamp.ts')).stamp,
  reset: async () => (await import('./reset.ts')).reset,
};

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const name = programName('db');
  return await runShell<Options, Ending | Failure>(argv, {
    command: 'db',
    read: () => parseOptions(argv, name),
    stopping: () => ({
      first: 'Stopping: the running version is let end. Ctrl-C again leaves at once.',
      second: 'Left at once: the running version is taken back whole.',
    }),
    act: async (options, desk) => {
      const context = open(options, name, desk);
      if (options.command !== 'migrate') {
        desk.terminal.info(`Target: ${desk.terminal.paint.bold(describe(context.target))}`);
      }
      return await (await doing[options.command]())(context);
    },
    failed: (_, error) =>
      error instanceof Declined ? { status: 'declined', message: error.message } : { error },
    report: (options, ending, terminal) =>
      'error' in ending ? reportError(options, terminal, ending.error) : report(options, terminal, ending),
  });
}

/** What a command works with. What has to be started is started when it is first asked for. */
function open(options: Options, name: string, { terminal, signal, atEnd }: Desk): Context {
  const program = commandPrefix(name);
  const start = path.resolve(options.workdir);
  const folder = options.command === 'init' ? (findProject(start) ?? start) : expectProject(start, program);
  const target = chooseTarget(folder, options, readDbEnvironment(folder));
  const onStep = (text: string): void => terminal.info(`${text} …`);
  const server = once(async () => {
    const started = await startServer(serverFolder(folder), onStep);
    atEnd(() => started.release());
    return started;
  });
  const canAsk = process.stdin.isTTY && !options.yes;
  return {
    options,
    folder,
    terminal,
    signal,
    program,
    target,
    connect: once(async () => {
      const { url, release } = await reach(target, server, onStep);
      atEnd(release);
      const sql = openTarget(url, terminal);
      atEnd(() => sql.end({ timeout: 1 }));
      await answerTo(sql`select`).catch((error) => Promise.reject(unreachable(error)));
      return { sql, url };
    }),
    shadows: async () => ({ url: (await server()).url, pristine: PRISTINE, called: calledIn(target) }),
    ask: canAsk ? (question) => ask(question, terminal, signal) : undefined,
    async confirm(question, { grave = false } = {}) {
      if (options.yes || (target.kind === 'embedded' && !grave)) return;
      expectSomebody(grave ? 'This drops data' : 'This changes a database that is not the embedded one');
      if (!(await ask(question, terminal, signal))) throw new Declined('Nothing was changed.');
    },
  };
}

/** The same for everybody who asks. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function report(options: Options, terminal: Terminal, ending: Ending): number {
  const code = exitCodes[ending.status];
  if (options.json) {
    const { command } = options;
    writeLine({
      type: 'result',
      command,
      status: ending.status,
      exit_code: code,
      message: ending.message,
      ...ending.data,
    });
    return code;
  }
  writeText(...(ending.lines ?? []), ending.message);
  for (const line of ending.next ?? []) terminal.info(line);
  return code;
}

function reportError(options: Options, terminal: Terminal, error: unknown): number {
  const { command } = options;
  const isUsage = error instanceof UsageError;
  if (!isUsage && !(error instanceof Problem) && !(error instanceof Error)) throw error;
  const refused = isUsage || (error instanceof Problem && refusals.has(error.code));
  const code = refused ? 2 : 1;
  const hint = error instanceof Problem || isUsage ? error.hint : undefined;
  terminal.error(indented(error.message), hint && indented(hint));
  if (options.json) {
    const problem = {
      code: error instanceof Problem ? error.code : isUsage ? 'usage' : 'failed',
      message: error.message,
      hint,
    };
    const status = refused ? 'usage' : 'failed';
    writeLine({ type: 'result', command, status, exit_code: code, message: error.message, error: problem });
  }
  return code;
}
