/** One invocation of `imago fleet`, from the arguments to the exit code. */
import type { Sql } from 'postgres';
import { ask, expectSomebody } from '../command/ask.ts';
import { counted, whole } from '../command/figures.ts';
import { commandPrefix, programName } from '../command/invocation.ts';
import { isWrongUsage, problemOf } from '../command/problem.ts';
import { type Desk, runShell } from '../command/shell.ts';
import { writeLine, writeText } from '../command/streams.ts';
import { colours, type Terminal } from '../command/terminal.ts';
import { readDatabaseUrl } from '../connection/address.ts';
import { expectFleet, explained, openControl } from './control.ts';
import { diagnose } from './doctor.ts';
import { controlUrl, type FleetEnvironment, readFleetEnvironment } from './environment.ts';
import { readImport } from './import.ts';
import { startWorkers } from './local-workers.ts';
import { lookAt, plannedWaves } from './look.ts';
import { addMembers, listMembers, removeMembers } from './members.ts';
import { type Options, parseOptions } from './options.ts';
import type { FleetProgress } from './progress.ts';
import { metrics } from './prometheus.ts';
import { changeRollout, findRollout, follow, readProgress, startRollout } from './rollout.ts';
import { installFleet } from './schema.ts';
import { Follower, table } from './show.ts';
import { workTarget } from './target.ts';
import type { Wish } from './wish.ts';
import { work } from './worker.ts';

/** How it ended. */
interface Ending {
  status: 'done' | 'left' | 'failed' | 'usage' | 'declined' | 'interrupted';
  message: string;
  next?: string[];
  /** Lines for stdout where no JSON is wanted. */
  lines?: string[];
  /** What --json gives besides. */
  data?: Record<string, unknown>;
  error?: ReturnType<typeof problemOf>;
}

const exitCodes: Record<Ending['status'], number> = {
  done: 0,
  failed: 1,
  usage: 2,
  left: 3,
  declined: 3,
  interrupted: 130,
};

interface Read {
  options: Options;
  environment: FleetEnvironment;
  url: string;
}

interface Context {
  options: Options;
  environment: FleetEnvironment;
  url: string;
  control: Sql;
  desk: Desk;
  program: string;
}

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = commandPrefix(programName('fleet'));
  return await runShell<Read, Ending>(argv, {
    command: 'fleet',
    read: () => {
      const options = parseOptions(argv, programName('fleet'));
      const environment = readFleetEnvironment();
      return { options, environment, url: controlUrl(environment) };
    },
    level: ({ environment }) => environment.MIGRATION_LOG_LEVEL,
    stopping: ({ options: { command } }) =>
      command === 'worker'
        ? {
            first:
              'Stopping: the running batches are let end, and their members given back. Ctrl-C again leaves at once.',
            second: 'Left at once. What was committed stays; another worker takes over.',
          }
        : {
            first: 'Leaving: workers that were started here end their batches. The rollout stays as it is.',
            second: 'Left at once. The rollout stays as it is.',
          },
    act: async ({ options, environment, url }, desk) => {
      const { host, port, database } = readDatabaseUrl(url, { name: 'FLEET_DATABASE_URL' });
      // A worker that a command has started says nothing that the command has said.
      if (!process.send)
        desk.terminal.info(`Control database: ${desk.terminal.paint.bold(`${host}:${port}/${database}`)}`);
      const control = openControl(url, (line) => desk.terminal.warn(line));
      desk.atEnd(() => control.end({ timeout: 2 }));
      const context: Context = { options, environment, url, control, desk, program };
      try {
        if (options.command !== 'init') await expectFleet(control);
        return await doing(context);
      } catch (error) {
        throw explained(error);
      }
    },
    failed: (_, error) => ({
      status: isWrongUsage(error) || refusals.has(problemOf(error).code) ? 'usage' : 'failed',
      message: problemOf(error).message,
      error: problemOf(error),
    }),
    stopped: { status: 'interrupted', message: 'Stopped. The rollout stays as it is.' },
    report: ({ options }, ending, terminal) => report(options, ending, terminal),
  });
}

/** Refusals of what was asked for. */
const refusals: ReadonlySet<string> = new Set([
  'FL001',
  'FL002',
  'FL003',
  'FL004',
  'FL005',
  'FL006',
  'EXISTS',
  'IN_USE',
]);

async function doing(context: Context): Promise<Ending> {
  const { options, control, environment, desk, url } = context;
  switch (options.command) {
    case 'init': {
      const { version, wasThere } = await installFleet(control);
      return {
        status: 'done',
        message: wasThere ? `The fleet is at version ${version}.` : `The fleet is made, version ${version}.`,
        next: [`Add a member: ${context.program} add NAME --database-url-env VARIABLE`],
        data: { version, was_there: wasThere },
      };
    }
    case 'add':
      return added(await addMembers(control, [options.member], options.replace));
    case 'import':
      return added(await addMembers(control, await readImport(options.wish, environment), options.replace));
    case 'list':
      return await list(context, options.labels);
    case 'remove': {
      const removed = await removeMembers(control, options.names);
      return {
        status: 'done',
        message: `${counted(removed, 'member')} removed. Their databases stay as they are.`,
        data: { removed },
      };
    }
    case 'run':
      return options.dryRun ? await preview(context, options.wish) : await roll(context, options);
    case 'status':
      return await status(
        context,
        await findRollout(control, options.plan, options.rollout),
        options.prometheus,
      );
    case 'change': {
      const rollout = await findRollout(control, options.plan, options.rollout);
      const changed = await changeRollout(control, rollout, options.action, {
        members: options.members,
        despite_failures: options.despiteFailures,
        stop_percent: options.stopPercent ?? null,
      });
      const nothing = options.action === 'retry' && changed.members === 0;
      return {
        status: 'done',
        message: nothing
          ? `Nothing of rollout ${rollout} has failed or was left alone.`
          : `Rollout ${rollout} is ${changed.state}${options.action === 'retry' ? `: ${counted(changed.members, 'member')} once more` : ''}.`,
        next: [`See how far it is: ${context.program} status`],
        data: { ...changed },
      };
    }
    case 'doctor':
      return await doctor(context);
    case 'worker': {
      const { terminal, signal } = desk;
      const { slots, name, target } = options;
      const working = { controlUrl: url, slots, name, terminal, signal: orphaned(signal) };
      await (target === undefined ? work(working) : workTarget({ ...working, target }));
      return { status: 'done', message: process.send ? '' : 'The worker has ended.' };
    }
  }
}

/** A worker that a command has started ends with it. */
function orphaned(signal: AbortSignal): AbortSignal {
  if (!process.send) return signal;
  const alone = new AbortController();
  process.once('disconnect', () => alone.abort());
  return AbortSignal.any([signal, alone.signal]);
}

function added(counts: { added: number; replaced: number }): Ending {
  const parts = [
    `${counted(counts.added, 'member')} added`,
    ...(counts.replaced > 0 ? [`${whole(counts.replaced)} replaced`] : []),
  ];
  return { status: 'done', message: `${parts.join(', ')}.`, data: counts };
}

async function list({ control }: Context, labels: string[]): Promise<Ending> {
  const members = await listMembers(control, labels);
  const lines = members.map((member) => {
    const place = member.url ?? member.address ?? 'not seen yet';
    const marks = [
      `secret: ${member.secret_kind} ${member.secret_name}`,
      ...(member.wave ? [`wave ${member.wave}`] : []),
      ...(member.server ? [`server ${member.server}`] : []),
      ...(member.labels.length > 0 ? [member.labels.join(' ')] : []),
      ...(member.engine == null ? [] : [`engine ${member.engine}`]),
    ];
    return `${member.name} · ${place} · ${marks.join(' · ')}`;
  });
  return { status: 'done', message: `${counted(members.length, 'member')}.`, lines, data: { members } };
}

/** Waves, who can be reached, versions, what each lacks. */
async function preview({ control, desk, program }: Context, wish: Wish): Promise<Ending> {
  const waves = await plannedWaves(control, wish);
  const names = new Set(waves.flatMap(({ members }) => members));
  const members = (await listMembers(control)).filter(({ name }) => names.has(name));
  desk.terminal.info(`Looking at ${counted(members.length, 'member')} …`);
  const seen = await lookAt(
    members,
    control,
    wish.plan,
    wish.kind === 'rollback' ? 'rollback' : 'forward',
    (line) => desk.terminal.warn(line),
  );
  const troubled = seen.filter(({ isReady }) => !isReady);
  const pending = seen.reduce((sum, one) => sum + (one.pending ?? 0), 0);
  return {
    status: troubled.length > 0 ? 'left' : 'done',
    message: `${whole(seen.length - troubled.length)} of ${counted(seen.length, 'member')} can be worked, with ${whole(pending)} entities. Nothing was changed.`,
    lines: [
      ...waves.map(
        ({ name, members: inside }) => `wave ${name}: ${counted(inside.length, 'member')} (${some(inside)})`,
      ),
      ...troubled.map(
        ({ member, code, reason, hint }) =>
          `${member} · ${[code, reason].filter(Boolean).join(': ')}${hint ? ` · ${hint}` : ''}`,
      ),
    ],
    next: [`Begin it: ${program} run with the same options, without --dry-run`],
    data: { waves, ready: seen.length - troubled.length, pending, troubled },
  };
}

const some = (names: readonly string[]): string =>
  names.length > 5 ? `${names.slice(0, 5).join(', ')}, …` : names.join(', ');

/** Begins or joins a rollout, and shows it to its end. */
async function roll(context: Context, options: Options & { command: 'run' }): Promise<Ending> {
  const { control, desk, url, program } = context;
  const { terminal, signal } = desk;
  const { wish, local } = options;
  if (wish.kind !== 'migrate' && !options.yes) {
    const what = wish.kind === 'push' ? 'Push the migrations of this project' : `Take back "${wish.plan}"`;
    expectSomebody(
      wish.kind === 'push' ? 'This changes the schema of members' : 'This takes a migration back',
    );
    const count = (await plannedWaves(control, wish)).reduce((sum, { members }) => sum + members.length, 0);
    if (!(await ask(`${what} in ${counted(count, 'member')}?`, terminal, signal)))
      return { status: 'declined', message: 'Nothing was changed.' };
  }
  const { rollout, joined, outside } = await startRollout(control, wish);
  terminal.info(
    joined ? `Rollout ${rollout} is open and has these options: joined.` : `Rollout ${rollout} is begun.`,
  );
  if (outside)
    terminal.warn(`The waves leave ${counted(outside, 'member')} out: end them with 100% to take all.`);
  const goOn = [
    `See how far it is: ${program} status`,
    `Workers go on with it: ${program} worker. Let it rest: ${program} pause`,
  ];
  if (options.detach) {
    return {
      status: 'done',
      message: `Rollout ${rollout} is ${joined ? 'open' : 'begun'}; workers do it.`,
      next: goOn,
      data: { rollout, joined },
    };
  }
  const started = startWorkers(await workersFor(control, local.workers), local.slots, url, terminal);
  const follower = new Follower(terminal);
  try {
    const progress = await follow(
      control,
      rollout,
      signal,
      (now) => follower.show(now),
      (code) => terminal.warn(`The control database is away (${code}); waiting for it.`),
    );
    follower.stop();
    if (signal.aborted && progress.state === 'running') {
      return {
        ...shown(context, progress),
        status: 'interrupted',
        message: 'Left. The rollout is open, and goes on with any worker.',
        next: goOn,
      };
    }
    return shown(context, progress);
  } finally {
    follower.stop();
    await started.stop();
  }
}

/** As many as were asked for; where nothing was said, one if nobody else is there. */
async function workersFor(control: Sql, asked: number | undefined): Promise<number> {
  if (asked !== undefined) return asked;
  const [row] = await control<{ there: boolean }[]>`
    select exists (select from imago_fleet.worker w where imago_fleet.is_alive(w.id)) as there`;
  return row?.there ? 0 : 1;
}

async function status(context: Context, rollout: number, prometheus: boolean): Promise<Ending> {
  const progress = await readProgress(context.control, rollout);
  if (prometheus) {
    writeText(...metrics(progress).trimEnd().split('\n'));
    return { status: 'done', message: '', lines: [], data: { progress } };
  }
  // Having looked is all that was asked for.
  return { ...shown(context, progress), status: 'done' };
}

/** What a rollout has come to, and what to do next. */
function shown({ program }: Context, progress: FleetProgress): Ending {
  const { status, message, next } = verdict(progress, program);
  return {
    status,
    message,
    lines: table(progress, message, next, colours(process.stdout)),
    data: { progress, next },
  };
}

function verdict(
  progress: FleetProgress,
  program: string,
): { status: Ending['status']; message: string; next: string[] } {
  const { members, state, code, workers } = progress;
  const leftAlone = members.skipped > 0 ? `, ${counted(members.skipped, 'member')} left alone` : '';
  switch (state) {
    case 'succeeded':
      return {
        status: members.skipped > 0 ? 'left' : 'done',
        message: `All done${leftAlone}.`,
        next:
          members.skipped > 0
            ? [`Bring them to this version: ${program} push; then: ${program} retry`]
            : progress.kind === 'migrate'
              ? [`Take it back at any time: ${program} rollback ${progress.plan}`]
              : [],
      };
    case 'failed':
      return {
        status: 'left',
        message: `Done, and ${counted(members.failed, 'member')} failed${leftAlone}.`,
        next: [`Correct the cause, then: ${program} retry`],
      };
    case 'stopped':
      return {
        status: 'left',
        message: `Stopped: ${progress.reason}.`,
        next: [
          `Correct the cause, then: ${program} retry`,
          code === 'gate'
            ? `Or go on without them: ${program} resume --despite-failures`
            : `Or allow more: ${program} resume --stop-when ${Math.min(100, Math.ceil(2 * (progress.stop_percent ?? 5)))}%`,
          ...(progress.kind === 'migrate' ? [`Or take it back: ${program} rollback ${progress.plan}`] : []),
        ],
      };
    case 'paused':
      return { status: 'left', message: 'It rests.', next: [`Go on: ${program} resume`] };
    case 'cancelled':
      return { status: 'left', message: 'It was cancelled; members stay where they are.', next: [] };
    default:
      return {
        status: 'left',
        message: workers.length === 0 ? 'It is open, and no worker is alive.' : 'It is being worked.',
        next: workers.length === 0 ? [`Start one: ${program} worker`] : [],
      };
  }
}

async function doctor({ control, desk, url }: Context): Promise<Ending> {
  const jobs = openControl(url, (line) => desk.terminal.warn(line));
  desk.atEnd(() => jobs.end({ timeout: 2 }));
  const { findings, members, reachable, workers } = await diagnose(control, jobs, (line) =>
    desk.terminal.warn(line),
  );
  const message = `${whole(reachable)} of ${counted(members, 'member')} ready, ${counted(workers, 'worker')} alive, ${counted(findings.length, 'finding')}.`;
  return {
    status: findings.length > 0 ? 'left' : 'done',
    message,
    lines: findings.flatMap(({ severity, object, message: said, remedy }) => [
      `${severity.padEnd(7)}  ${object}: ${said}`,
      `         ${remedy}`,
    ]),
    data: { findings, members, reachable, workers },
  };
}

function report({ command, json }: Options, ending: Ending, terminal: Terminal): number {
  const exit_code = exitCodes[ending.status];
  const { status, message, data, error, lines, next = [] } = ending;
  if (json) {
    writeLine({
      type: 'result',
      command,
      status,
      exit_code,
      message,
      ...(next.length > 0 && { next }),
      ...data,
      ...(error && { error }),
    });
    return exit_code;
  }
  if (error) {
    terminal.error(error.message, error.hint);
    return exit_code;
  }
  if (lines && lines.length > 0) writeText(...lines);
  const isTable = data?.progress !== undefined;
  if (!isTable && message !== '') terminal.info(message);
  if (!isTable || status === 'interrupted') for (const line of next) terminal.info(line);
  return exit_code;
}
