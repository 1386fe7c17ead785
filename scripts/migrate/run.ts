/** One invocation of an action on a plan, from the arguments to the exit code. */
import path from 'node:path';
import { expectSomebody } from '../command/ask.ts';
import { type Environment, readEnvironment } from '../command/environment.ts';
import { planFlags, programName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import { isWrongUsage, problemOf } from '../command/problem.ts';
import { sayTarget } from '../command/reach.ts';
import { openSession, type Session, trafficOf } from '../command/session.ts';
import { type Desk, runShell } from '../command/shell.ts';
import { writeLine, writeText } from '../command/streams.ts';
import { chooseTarget, type EmbeddedTarget, type ProjectTarget } from '../command/target.ts';
import { type Action, actions, type CommandName } from './actions.ts';
import { cleanUp } from './cleanup.ts';
import { confirmed } from './confirm.ts';
import type { Context } from './context.ts';
import { dryRun } from './dry-run.ts';
import { checkDump, takeDump } from './dump.ts';
import { type Ending, exitCodes } from './ending.ts';
import { finalize } from './finalize.ts';
import { stats, watch } from './look.ts';
import { expectWebhook, startTelling } from './notices.ts';
import { type Options, parseOptions } from './options.ts';
import { type Frame, toJson, toTable } from './report.ts';
import { resumeFlags } from './resuming.ts';
import { schedule, unschedule } from './schedule.ts';
import { spelled } from './spelling.ts';
import { halt, resume, rollbackUser } from './steer.ts';
import { asksLimits, setLimits, throttle } from './throttle.ts';
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
  schedule,
  unschedule,
  throttle,
};

const changing = new Set<Action>([
  'migrate',
  'rollback',
  'rollback-user',
  'pause',
  'cancel',
  'resume',
  'retry-failed',
  'schedule',
  'unschedule',
]);

/** Of no use on a database that is yet to be made. */
const looking = new Set<Action>([
  'stats',
  'watch',
  'finalize',
  'cleanup',
  'schedule',
  'unschedule',
  'throttle',
]);

/** They show what they will do before they ask, whatever the target is. */
const ends = new Set<Action>(['finalize', 'cleanup']);

interface Read {
  options: Options;
  environment: Environment;
  target: ProjectTarget | EmbeddedTarget;
}

/** Runs a command with these arguments (without node, script and command) and gives its exit code. */
export async function run(argv: readonly string[], command: CommandName = 'migrate'): Promise<number> {
  const program = programName(command);
  let session: Session | undefined;
  return await runShell<Read, Ending>(argv, {
    command,
    read: () => read(argv, program, command),
    level: ({ environment }) => environment.MIGRATION_LOG_LEVEL,
    stopping: ({ options }) => ({
      first: 'Stopping: the running batches are let end. Ctrl-C again leaves at once.',
      second: `Left at once. What was committed stays; the rest was taken back. Go on: ${spelled(program, resumeFlags(options))}`,
    }),
    act: async (given, desk) => {
      await expectAgreement(given, desk);
      const { options, target } = given;
      session = await openSession(desk, target, options, options.viaFunction ? viaFunction : undefined);
      return await act(given, session, program, desk);
    },
    failed: ({ options }, error) => endingOf(error, spelled(program, planFlags(options))),
    stopped,
    report: ({ options }, ending, terminal) => {
      const frame: Frame = { action: options.action, plan: options.plan, ...trafficOf(session) };
      if (options.json) writeLine(toJson(frame, ending));
      else if (session) writeText(...toTable(frame, ending));
      else
        terminal.error(
          ending.error?.message ?? ending.message,
          ending.error?.hint ?? ending.next.join(lineBreak),
        );
      return exitCodes[ending.status];
    },
  });
}

function read(argv: readonly string[], program: string, command: CommandName): Read {
  const options = parseOptions(argv, program, command);
  const environment = readEnvironment();
  const target = chooseTarget(environment, options);
  if (environment.IMAGO_NOTIFY_URL !== undefined) expectWebhook(environment.IMAGO_NOTIFY_URL);
  if (options.dump !== undefined && target.kind === 'project') {
    checkDump({ file: options.dump, databaseUrl: target.databaseUrl, projectUrl: target.url });
  }
  if ((ends.has(options.action) || options.thenFinalize) && !options.yes && !options.preview) {
    expectSomebody('This cannot be taken back');
  }
  return { options: withBatchSize(options, environment), environment, target };
}

/** First of all, before anything is started or changed. */
async function expectAgreement({ options, target }: Read, { terminal, signal }: Desk): Promise<void> {
  sayTarget(terminal, target, options.plan);
  const changes = changing.has(options.action) || (options.action === 'throttle' && asksLimits(options));
  if ((target.kind === 'project' && changes) || options.thenFinalize) {
    if (!(await confirmed(options, terminal, signal))) throw new Declined();
  }
  if (target.kind === 'embedded' && looking.has(options.action) && !(await embeddedExists())) {
    throw new NothingThere();
  }
}

async function act(
  { options, environment, target }: Read,
  { caller, reached }: Session,
  program: string,
  { terminal, signal }: Desk,
): Promise<Ending> {
  const { databaseUrl, shared } = reached;
  if (options.dump !== undefined) {
    const projectUrl = target.kind === 'project' ? target.url : undefined;
    await takeDump(
      { file: options.dump, databaseUrl, projectUrl, program: environment.PG_DUMP, signal },
      terminal,
    );
  }
  if (signal.aborted) return stopped;
  const context: Context = {
    options,
    terminal,
    caller,
    signal,
    program,
    databaseUrl,
    shared,
    emit: writeLine,
  };
  // Before the run, so that it has them from its first batch on.
  if (options.action !== 'throttle') await setLimits(context);
  const telling = changing.has(options.action)
    ? startTelling(context, environment.IMAGO_NOTIFY_URL)
    : undefined;
  try {
    return await doing[options.action](context);
  } finally {
    await telling?.end();
  }
}

/** Interrupted before there was anything to let end. */
const stopped: Ending = { status: 'interrupted', message: 'Stopped. Nothing is lost.', next: [] };

/** The question was answered with no. */
class Declined extends Error {
  override readonly name = 'Declined';
}

/** What was asked for needs an embedded database that has yet to be made. */
class NothingThere extends Error {
  override readonly name = 'NothingThere';

  constructor() {
    super('There is no embedded database yet. Nothing was changed.');
  }
}

/** `migrate` is the command that migrates this plan. */
function endingOf(error: unknown, migrate: string): Ending {
  if (error instanceof NothingThere) {
    return { status: 'left', message: error.message, next: [`Make it and migrate: ${migrate}`] };
  }
  if (error instanceof Declined) {
    return { status: 'declined', message: 'Nothing was changed.', next: [] };
  }
  const isUsage = isWrongUsage(error);
  return {
    status: isUsage ? 'usage' : 'failed',
    message: isUsage ? 'This cannot be done so. Nothing was changed.' : 'Failed.',
    error: problemOf(error),
    next: nextOf(problemOf(error).code, migrate),
  };
}

function nextOf(code: string, migrate: string): string[] {
  if (code === 'IM087')
    return ['Or set DATABASE_URL and run the same command again: it is set over that then.'];
  return instead.has(code) ? [`Migrate: ${migrate}`] : [];
}

/** Refusals whose remedy names a function of SQL, which has a command: no run yet, no pg_cron. */
const instead: ReadonlySet<string> = new Set(['IM022', 'IM031']);

/** Whether there is an embedded database at all. Figures are no reason to make one. */
async function embeddedExists(): Promise<boolean> {
  const [{ clusterExists }, { defaultFolder }] = await Promise.all([
    import('../embedded/cluster.ts'),
    import('../embedded/state.ts'),
  ]);
  return clusterExists(path.join(defaultFolder, 'postgres'));
}

/** MIGRATION_BATCH_SIZE is for the actions that have batches of a chosen size, and --batch-size goes before it. */
function withBatchSize(options: Options, { MIGRATION_BATCH_SIZE: size }: Environment): Options {
  const wanted = options.batchSize === undefined && actions[options.action].takes.includes('batchSize');
  return size !== undefined && wanted ? { ...options, batchSize: size } : options;
}
