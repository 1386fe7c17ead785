/** One invocation of the command, from the arguments to the exit code. */
import path from 'node:path';
import { connect } from '../client.ts';
import { HelpShown } from '../command/arguments.ts';
import { expectSomebody } from '../command/ask.ts';
import { Caller } from '../command/caller.ts';
import { type Environment, readEnvironment } from '../command/environment.ts';
import { onInterrupt } from '../command/interrupt.ts';
import { commandLine, programName } from '../command/invocation.ts';
import { problemOf } from '../command/problem.ts';
import { type Reached, reach, sayTarget } from '../command/reach.ts';
import { refuse } from '../command/refuse.ts';
import { writeLine } from '../command/streams.ts';
import { chooseTarget, type EmbeddedTarget, type ProjectTarget } from '../command/target.ts';
import { Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { cleanUp } from './cleanup.ts';
import { confirmed } from './confirm.ts';
import type { Context } from './context.ts';
import { checkDump, takeDump } from './dump.ts';
import { type Ending, exitCodes } from './ending.ts';
import { finalize } from './finalize.ts';
import { dryRun, stats, watch } from './look.ts';
import { type Action, type Options, parseOptions } from './options.ts';
import { type Frame, toJson, toTable } from './report.ts';
import { resumeFlags } from './resuming.ts';
import { halt, resume, rollbackUser } from './steer.ts';
import { viaFunction } from './via-function.ts';
import { work } from './work.ts';

/** What each action does. */
const doing: Record<Action, (context: Context) => Promise<Ending>> = {
  migrate: (context) => work(context, 'forward'),
  rollback: (context) => work(context, 'rollback'),
  'rollback-user': rollbackUser,
  'dry-run': dryRun,
  stats,
  watch,
  pause: (context) => halt(context, 'pause'),
  cancel: (context) => halt(context, 'cancel'),
  resume: (context) => resume(context, 'resume'),
  'retry-failed': (context) => resume(context, 'retry-failed'),
  finalize,
  cleanup: cleanUp,
};

const changing = new Set<Action>([
  'migrate',
  'rollback',
  'rollback-user',
  'pause',
  'cancel',
  'resume',
  'retry-failed',
]);

/** Of no use on a database that is yet to be made. */
const looking = new Set<Action>(['stats', 'watch', 'finalize', 'cleanup']);

/** They show what they will do before they ask, whatever the target is. */
const ends = new Set<Action>(['finalize', 'cleanup']);

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = programName('migrate');
  let options: Options;
  let environment: Environment;
  let target: ProjectTarget | EmbeddedTarget;
  try {
    options = parseOptions(argv, program);
    environment = readEnvironment();
    target = chooseTarget(environment, options);
    if (options.dump !== undefined && target.kind === 'project') {
      checkDump({ file: options.dump, databaseUrl: target.databaseUrl, projectUrl: target.url });
    }
    if (ends.has(options.action) && !options.yes && !options.preview) {
      expectSomebody('This cannot be taken back');
    }
  } catch (error) {
    if (error instanceof HelpShown) return 0;
    if (!(error instanceof UsageError)) throw error;
    return refuse(error, argv);
  }

  const level = environment.MIGRATION_LOG_LEVEL ?? 'info';
  const terminal = new Terminal(level);
  const interrupt = onInterrupt(
    () => terminal.warn('Stopping: the running batches are let end. Ctrl-C again leaves at once.'),
    () => {
      const again = commandLine(program, resumeFlags(options));
      terminal.warn(`Left at once. What was committed stays; the rest was taken back. Go on: ${again}`);
    },
  );

  let reached: Reached | undefined;
  let caller: Caller | undefined;
  let ending: Ending;
  try {
    // First of all, before anything is started, asked or changed.
    sayTarget(terminal, target, options.plan);
    if (target.kind === 'project' && changing.has(options.action)) {
      if (!(await confirmed(options, terminal, interrupt.signal))) {
        throw new Declined(interrupt.signal.aborted);
      }
    }
    if (target.kind === 'embedded' && looking.has(options.action) && !(await embeddedExists())) {
      throw new NothingThere(commandLine(program, []));
    }
    reached = await reach(target, terminal, options);
    const { url, secretKey } = reached;
    const through = options.viaFunction ? viaFunction(url, secretKey) : undefined;
    caller = new Caller(connect(url, secretKey), terminal, options.verbose, through);
    const { databaseUrl, shared } = reached;
    const context: Context = {
      options: withBatchSize(options, environment),
      terminal,
      caller,
      signal: interrupt.signal,
      program,
      databaseUrl,
      shared,
      emit: writeLine,
    };
    if (options.dump !== undefined) {
      const projectUrl = target.kind === 'project' ? target.url : undefined;
      const { signal } = interrupt;
      await takeDump(
        { file: options.dump, databaseUrl, projectUrl, program: environment.PG_DUMP, signal },
        terminal,
      );
    }
    ending = interrupt.signal.aborted ? stopped : await doing[options.action](context);
  } catch (error) {
    ending = interrupt.signal.aborted ? stopped : endingOf(error);
  } finally {
    await reached?.release();
    interrupt.release();
  }

  const frame: Frame = {
    action: options.action,
    plan: options.plan,
    ...(reached && { target: { kind: target.kind, url: reached.url } }),
    calls: caller?.calls ?? 0,
    retries: caller?.retries ?? 0,
    lostReplies: caller?.lostReplies ?? 0,
  };
  if (options.json) writeLine(toJson(frame, ending));
  else if (caller) process.stdout.write(`${toTable(frame, ending)}\n`);
  else terminal.error(ending.error?.message ?? ending.message, ending.error?.hint ?? ending.next.join('\n'));
  return exitCodes[ending.status];
}

/** Interrupted before there was anything to let end. */
const stopped: Ending = { status: 'interrupted', message: 'Stopped. Nothing is lost.', next: [] };

/** The question was answered with no, or with Ctrl-C. */
class Declined extends Error {
  override readonly name = 'Declined';
  readonly interrupted: boolean;

  constructor(interrupted: boolean) {
    super('Nothing was changed.');
    this.interrupted = interrupted;
  }
}

/** What was asked for needs an embedded database that has yet to be made. */
class NothingThere extends Error {
  override readonly name = 'NothingThere';
  readonly start: string;

  constructor(start: string) {
    super('There is no embedded database yet. Nothing was changed.');
    this.start = start;
  }
}

function endingOf(error: unknown): Ending {
  if (error instanceof NothingThere) {
    return { status: 'left', message: error.message, next: [`Make it and migrate: ${error.start}`] };
  }
  if (error instanceof Declined) {
    return { status: error.interrupted ? 'interrupted' : 'declined', message: error.message, next: [] };
  }
  const problem = problemOf(error);
  const isUsage = error instanceof UsageError || usageCodes.has(problem.code);
  return {
    status: isUsage ? 'usage' : 'failed',
    message: isUsage ? 'This cannot be done so. Nothing was changed.' : 'Failed.',
    error: problem,
    next: [],
  };
}

/** Refusals of SQL that are about what was typed: no such plan, a size or a value outside its range. */
const usageCodes = new Set(['IM001', 'IM002', 'IM015']);

/** Whether there is an embedded database at all. Figures are no reason to make one. */
async function embeddedExists(): Promise<boolean> {
  const [{ clusterExists }, { defaultFolder }] = await Promise.all([
    import('../embedded/cluster.ts'),
    import('../embedded/state.ts'),
  ]);
  return clusterExists(path.join(defaultFolder, 'postgres'));
}

/** MIGRATION_BATCH_SIZE is for the actions that have batches of a chosen size, and --batch-size goes before it. */
function withBatchSize(options: Options, environment: Environment): Options {
  const size = environment.MIGRATION_BATCH_SIZE;
  return size === undefined || options.batchSize !== undefined ? options : { ...options, batchSize: size };
}
