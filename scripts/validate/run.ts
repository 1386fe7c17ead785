/** One invocation of the command, from the arguments to the exit code. */
import { connect } from '../client.ts';
import { HelpShown } from '../command/arguments.ts';
import { ask, expectSomebody } from '../command/ask.ts';
import { Caller } from '../command/caller.ts';
import { type Environment, readEnvironment } from '../command/environment.ts';
import { onInterrupt } from '../command/interrupt.ts';
import { programName } from '../command/invocation.ts';
import { problemOf } from '../command/problem.ts';
import { type Reached, reach, sayTarget } from '../command/reach.ts';
import { refuse } from '../command/refuse.ts';
import { writeLine } from '../command/streams.ts';
import { chooseTarget, type EmbeddedTarget, type ProjectTarget } from '../command/target.ts';
import { colours, Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { type Checked, type Context, runChecks } from './checks.ts';
import { type Options, parseOptions } from './options.ts';
import { table, toText } from './table.ts';
import { type Ending, exitCodes, type Frame, judge, toJson } from './verdict.ts';
import { findings } from './words.ts';

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = programName('validate');
  let options: Options;
  let environment: Environment;
  let target: ProjectTarget | EmbeddedTarget;
  try {
    options = parseOptions(argv, program);
    environment = readEnvironment();
    target = chooseTarget(environment, {});
  } catch (error) {
    if (error instanceof HelpShown) return 0;
    if (!(error instanceof UsageError)) throw error;
    return refuse(error, argv);
  }

  const terminal = new Terminal(environment.MIGRATION_LOG_LEVEL ?? 'info');
  const interrupt = onInterrupt(
    () => terminal.warn('Stopping: the running call is let end. Ctrl-C again leaves at once.'),
    () => terminal.warn('Left at once. What was fixed and committed stays; the rest was taken back.'),
  );
  let reached: Reached | undefined;
  let caller: Caller | undefined;
  let ending: Ending;
  const frame = (): Frame => ({
    options,
    ...(reached && { target: { kind: target.kind, url: reached.url } }),
    calls: caller?.calls ?? 0,
    retries: caller?.retries ?? 0,
    lostReplies: caller?.lostReplies ?? 0,
  });
  try {
    sayTarget(terminal, target, options.plan);
    if (options.fixIssues && !options.dryRun && !options.yes) expectSomebody('Fixing changes rows');
    reached = await reach(target, terminal);
    caller = new Caller(connect(reached.url, reached.secretKey), terminal, options.verbose);
    const context: Context = { options, terminal, caller, signal: interrupt.signal, program };
    ending = interrupt.signal.aborted ? stopped : await validate(context, frame);
  } catch (error) {
    ending = interrupt.signal.aborted ? stopped : endingOf(error);
  } finally {
    await reached?.release();
    interrupt.release();
  }

  if (options.json) writeLine(toJson(frame(), ending));
  else if (ending.checked) process.stdout.write(`${toText(frame(), ending)}\n`);
  else terminal.error(ending.error?.message ?? ending.message, ending.error?.hint ?? undefined);
  return exitCodes[ending.status];
}

/** Checks or fixes, judges what came out, and writes the page where one is wanted. */
async function validate(context: Context, frame: () => Frame): Promise<Ending> {
  const { options, program } = context;
  const ending = judge(await checked(context), options, program);
  if (options.report === undefined || ending.status === 'interrupted' || !ending.checked) return ending;
  const history = await context.caller.call('get_run_history', { plan: options.plan }, context.signal);
  // The plotting library is loaded only when there is something to plot.
  const { writeReport } = await import('./report/file.ts');
  await writeReport(options.report, { frame: frame(), ending, checked: ending.checked, history });
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
    process.stderr.write(`${table('preview', fixable, colours(process.stderr))}\n`);
    if (!(await ask('Fix these? A rollback takes it back.', terminal, signal))) {
      return { ...preview, outcome: signal.aborted ? 'interrupted' : 'declined' };
    }
  }
  return await runChecks(context, 'fix');
}

/** Interrupted before anything was known. */
const stopped: Ending = { status: 'interrupted', message: 'Stopped. Nothing was changed.', next: [] };

/** Refusals of SQL that are about what was typed: no such plan. */
const usageCodes = new Set(['IM001', 'IM015']);

function endingOf(error: unknown): Ending {
  const problem = problemOf(error);
  const isUsage = error instanceof UsageError || usageCodes.has(problem.code);
  return {
    status: isUsage ? 'usage' : 'failed',
    message: isUsage ? 'This cannot be done so. Nothing was changed.' : 'It could not be checked.',
    error: problem,
    next: [],
  };
}
