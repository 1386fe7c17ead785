/** One invocation of the command, from the arguments to the exit code. */
import { ask, expectSomebody } from '../command/ask.ts';
import { type Environment, readEnvironment } from '../command/environment.ts';
import { programName } from '../command/invocation.ts';
import { isWrongUsage, problemOf } from '../command/problem.ts';
import { sayTarget } from '../command/reach.ts';
import { openSession, type Session, trafficOf } from '../command/session.ts';
import { runShell } from '../command/shell.ts';
import { writeLine, writeText } from '../command/streams.ts';
import { chooseTarget, type EmbeddedTarget, type ProjectTarget } from '../command/target.ts';
import { type Checked, type Context, runChecks } from './checks.ts';
import { type Options, parseOptions } from './options.ts';
import { writeReport } from './report/file.ts';
import { table, toText } from './table.ts';
import { type Ending, exitCodes, type Frame, judge, toJson } from './verdict.ts';
import { findings } from './words.ts';

interface Read {
  options: Options;
  environment: Environment;
  target: ProjectTarget | EmbeddedTarget;
}

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = programName('validate');
  let session: Session | undefined;
  return await runShell<Read, Ending>(argv, {
    command: 'validate',
    read: () => {
      const options = parseOptions(argv, program);
      const environment = readEnvironment();
      return { options, environment, target: chooseTarget(environment, {}) };
    },
    level: ({ environment }) => environment.MIGRATION_LOG_LEVEL,
    stopping: () => ({
      first: 'Stopping: the running call is let end. Ctrl-C again leaves at once.',
      second: 'Left at once. What was fixed and committed stays; the rest was taken back.',
    }),
    act: async ({ options, target }, desk) => {
      const { terminal, signal } = desk;
      sayTarget(terminal, target, options.plan);
      if (options.fixIssues && !options.dryRun && !options.yes) expectSomebody('Fixing changes rows');
      session = await openSession(desk, target, options);
      if (signal.aborted) return stopped;
      const { caller } = session;
      const context: Context = { options, terminal, caller, signal, program };
      return await validate(context, () => ({ options, ...trafficOf(session) }));
    },
    failed: (_, error) => endingOf(error),
    stopped,
    report: ({ options }, ending, terminal) => {
      const frame: Frame = { options, ...trafficOf(session) };
      if (options.json) writeLine(toJson(frame, ending));
      else if (ending.checked) writeText(...toText(frame, ending));
      else terminal.error(ending.error?.message ?? ending.message, ending.error?.hint ?? undefined);
      return exitCodes[ending.status];
    },
  });
}

/** Checks or fixes, judges what came out, and writes the page where one is wanted. */
async function validate(context: Context, frame: () => Frame): Promise<Ending> {
  const { options, program } = context;
  const ending = judge(await checked(context), options, program);
  if (options.report === undefined || ending.status === 'interrupted' || !ending.checked) return ending;
  const history = await context.caller.call('get_run_history', { plan: options.plan }, context.signal);
  await writeReport(options.report, frame(), ending, ending.checked, history);
  return { ...ending, report: options.report };
}

async function checked(context: Context): Promise<Checked> {
  const { options, signal, terminal } = context;
  if (options.dryRun) return await runChecks(context, 'preview');
  if (!options.fixIssues) return await runChecks(context, 'check');
  if (!options.yes) {
    const preview = await runChecks(context, 'preview');
    const fixable = findings(preview.answer).filter((check) => check.fixable);
    if (preview.outcome !== 'complete' || fixable.length === 0) return preview;
    terminal.show(...table('preview', fixable, terminal.paint));
    if (!(await ask('Fix these? A rollback takes it back.', terminal, signal))) {
      return { ...preview, outcome: signal.aborted ? 'interrupted' : 'declined' };
    }
  }
  return await runChecks(context, 'fix');
}

/** Interrupted before anything was known. */
const stopped: Ending = { status: 'interrupted', message: 'Stopped. Nothing was changed.', next: [] };

function endingOf(error: unknown): Ending {
  const isUsage = isWrongUsage(error);
  return {
    status: isUsage ? 'usage' : 'failed',
    message: isUsage ? 'This cannot be done so. Nothing was changed.' : 'It could not be checked.',
    error: problemOf(error),
    next: [],
  };
}
