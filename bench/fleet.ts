/**
 * `npm run bench -- fleet`: many small databases, migrated by a fleet with one, two and four workers, beside the same calls made
 * directly; with workers killed if asked. Each database is looked at afterwards: everybody moved once, nothing wrong.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import postgres from 'postgres';
import { duration, whole } from '../scripts/command/figures.ts';
import { connect } from '../scripts/embedded/cluster.ts';
import { openControl } from '../scripts/fleet/control.ts';
import { startWorker } from '../scripts/fleet/local-workers.ts';
import { addMembers } from '../scripts/fleet/members.ts';
import { newMember } from '../scripts/fleet/new-member.ts';
import { changeRollout, readProgress, startRollout } from '../scripts/fleet/rollout.ts';
import { installFleet } from '../scripts/fleet/schema.ts';
import { wishOf } from '../scripts/fleet/wish.ts';
import { controlCapacity, transactions } from './fleet-control.ts';
import { type Line, toText } from './fleet-report.ts';
import { describeMachine } from './machine.ts';
import { createTemplate, type Server, startServer, type Template } from './server.ts';

interface Options {
  members: number;
  users: number;
  kills: number;
  workers: number[];
  rounds: number;
  slots: number;
  connections: number[];
  loadSeconds: number;
  json: boolean;
}

/** Measures all lines, and prints them. Exit code 1 where somebody was not moved, or moved twice. */
export async function fleet(argv: readonly string[]): Promise<number> {
  const options = parse(argv);
  const children = new Set<ChildProcess>();
  try {
    const lines: Line[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      if (options.rounds > 1) say(`Round ${round}`);
      lines.push(...(await onServer(options, (server, template) => oneRound(server, template, round))));
    }
    const { connections, loadSeconds } = options;
    const rest = await onServer(options, async (server, template) => {
      say(`The control database alone, ${loadSeconds} s for each of ${connections.join(', ')} connections`);
      return {
        control: await controlCapacity(server, connections, loadSeconds),
        machine: await describeMachine(server.admin),
        rows: await rowsOf(server, template),
      };
    });
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ ...options, ...rest, lines })}\n`
        : `${toText(lines, rest.control, options)}\n`,
    );
    return lines.every(({ moved, wrong }) => wrong === 0 && moved === options.members * options.users)
      ? 0
      : 1;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }

  /** Makes all members first, so that the lines follow each other closely: within minutes a machine changes its speed. */
  async function oneRound(server: Server, template: Template, round: number): Promise<Line[]> {
    const names: string[][] = [];
    for (const way of ['direct', ...options.workers.map((count) => `fleet_${count}`)])
      names.push(await makeMembers(server, template, way, options));
    const [first = [], ...others] = names;
    const lines = [await direct(server, first, options)];
    for (const [index, count] of options.workers.entries())
      lines.push(await byFleet(server, others[index] ?? [], options, count, children));
    return lines.map((line) => ({ round, ...line }));
  }
}

/** A server for each round, gone with it: to drop a thousand databases takes longer than to fill them. */
async function onServer<Result>(
  { users }: Options,
  act: (server: Server, template: Template) => Promise<Result>,
): Promise<Result> {
  const server = await startServer({ max_connections: '300' });
  try {
    return await act(server, await createTemplate(server, users));
  } finally {
    await server.remove();
  }
}

/** Rows of the tables of the app in each member. */
async function rowsOf(server: Server, { name }: Template): Promise<number> {
  const sql = connect(server.cluster, 'postgres', name);
  const [row] = await sql<{ rows: number }[]>`
    select ((select count(*) from users) + (select count(*) from posts) + (select count(*) from follows))::integer as rows`;
  await sql.end();
  return row?.rows ?? 0;
}

async function makeMembers(
  server: Server,
  template: Template,
  way: string,
  { members }: Options,
): Promise<string[]> {
  const names = Array.from({ length: members }, (_, i) => `${way}_${String(i + 1).padStart(4, '0')}`);
  for (const name of names)
    await server.admin.unsafe(
      `create database ${name} owner postgres template ${template.name} strategy file_copy`,
    );
  await server.admin.unsafe('checkpoint');
  return names;
}

/** One process, as many connections as a worker has slots: connects to each, and calls until nothing is left. */
async function direct(
  server: Server,
  names: readonly string[],
  options: Options,
): Promise<Omit<Line, 'round'>> {
  say('Directly');
  const startedAt = performance.now();
  const left = names.values();
  const work = async () => {
    for (const name of left) {
      const sql = postgres(server.cluster.url('postgres', name), { max: 1, onnotice: () => {} });
      for (;;) {
        const [row] = await sql<{ answer: { has_more: boolean; retry_after_ms: number } }[]>`
          select public.migrate_batch(plan => 'avatars', max_ms => 2000) as answer`;
        if (!row?.answer.has_more) break;
        await delay(row.answer.retry_after_ms ?? 0);
      }
      await sql.end();
    }
  };
  await Promise.all(Array.from({ length: options.slots }, work));
  const seconds = (performance.now() - startedAt) / 1000;
  return await measured(server, names, options, {
    way: 'directly',
    workers: 1,
    seconds,
    killed: 0,
    takenOver: 0,
    megabytes: undefined,
  });
}

async function byFleet(
  server: Server,
  names: readonly string[],
  options: Options,
  count: number,
  children: Set<ChildProcess>,
): Promise<Omit<Line, 'round'>> {
  say(`A fleet with ${count === 1 ? 'one worker' : `${count} workers`}`);
  const database = `control_${count}`;
  await server.admin.unsafe(`create database ${database} owner postgres template postgres`);
  const url = server.cluster.url('postgres', database);
  const control = openControl(url, () => {});
  await installFleet(control);
  const members = names.map((name) => {
    process.env[`BENCH_${name.toUpperCase()}`] = server.cluster.url('postgres', name);
    return newMember(name, { databaseUrlEnv: `BENCH_${name.toUpperCase()}` });
  });
  await addMembers(control, members, true);
  const start = () => {
    const child = startWorker(options.slots, url);
    child.stderr?.resume();
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
  };
  const workers = Array.from({ length: count }, start);
  await aliveOnes(control, count);
  const idlePerSecond = await idling(server, control, database, names[0] ?? '', count);
  const before = await transactions(server.admin, database);
  const { rollout } = await startRollout(control, all);
  let killed = 0;
  let early = 0;
  let late = 0;
  let looks = 0;
  for (;;) {
    await delay(500);
    looks += 1;
    const { state, members: now } = await readProgress(control, rollout);
    const used = megabytesOf(workers);
    if (now.succeeded >= options.members / 3 && early === 0) early = used;
    late = used || late;
    if (killed < options.kills && now.succeeded >= ((killed + 1) * options.members) / (options.kills + 2)) {
      workers.shift()?.kill('SIGKILL');
      workers.push(start());
      killed += 1;
    }
    if (state !== 'running') break;
  }
  const [times] = await control<{ seconds: number; taken_over: number }[]>`
    select extract(epoch from r.ended_at - r.created_at)::float8 as seconds,
      (select count(*)::integer from imago_fleet.event e where e.event = 'taken over') as taken_over
    from imago_fleet.rollout r where r.id = ${rollout}`;
  const each = await control<{ seconds: number }[]>`
    select extract(epoch from m.ended_at - m.begun_at)::float8 as seconds
    from imago_fleet.rollout_member m where m.rollout = ${rollout} and m.attempt = 1 order by 1`;
  for (const child of children) child.kill('SIGKILL');
  await control.end();
  // Sessions have told all of theirs when they have ended.
  await untilAlone(server, database);
  const seconds = times?.seconds ?? 0;
  const asked = (await transactions(server.admin, database)) - before - looks;
  return await measured(server, names, options, {
    way: 'fleet',
    workers: count,
    seconds,
    killed,
    takenOver: times?.taken_over ?? 0,
    megabytes: { early, late },
    memberSeconds: each.map((one) => Math.round(one.seconds * 1000) / 1000),
    transactions: { perMember: asked / options.members, idlePerSecond },
  });
}

/** A rollout over all members. */
const all = wishOf('migrate', 'avatars');

const idleMs = 10_000;

/** Transactions of a worker in a second, while a rollout is open and its only member waits for its turn. */
async function idling(
  server: Server,
  control: postgres.Sql,
  database: string,
  member: string,
  workers: number,
): Promise<number> {
  const rollout = await control.begin(async (tx) => {
    const { rollout: made } = await startRollout(tx, { ...all, plan: 'idle', members: [member] });
    await tx`
      update imago_fleet.rollout_member set state = 'waiting', queued_at = now(), due_at = now() + interval '1 hour'
      where rollout = ${made}`;
    return made;
  });
  // A session tells late what it has done; those of the workers do so each second.
  await control`select pg_stat_force_next_flush()`;
  await delay(2_000);
  const before = await transactions(server.admin, database);
  await delay(idleMs);
  const asked = (await transactions(server.admin, database)) - before;
  const nothing = { members: [], despite_failures: false, stop_percent: null };
  await changeRollout(control, rollout, 'cancel', nothing);
  return asked / (idleMs / 1000) / workers;
}

async function untilAlone({ admin }: Server, database: string): Promise<void> {
  for (;;) {
    const sessions = await admin`
      select from pg_stat_activity where datname = ${database} and backend_type = 'client backend'`;
    if (sessions.length === 0) return;
    await delay(100);
  }
}

async function aliveOnes(control: postgres.Sql, count: number): Promise<void> {
  for (;;) {
    const [row] = await control<{ alive: number }[]>`
      select count(*)::integer as alive from imago_fleet.worker w where imago_fleet.is_alive(w.id)`;
    if ((row?.alive ?? 0) >= count) return;
    await delay(100);
  }
}

/** What these processes hold in memory, in megabytes; 0 where there is no /proc to ask. */
function megabytesOf(children: readonly ChildProcess[]): number {
  const each = children.map(({ pid }) => {
    try {
      return (
        Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
      );
    } catch {
      return 0;
    }
  });
  return Math.max(0, ...each);
}

/** Looks at each database. */
async function measured(
  server: Server,
  names: readonly string[],
  { users, members }: Options,
  line: Omit<Line, 'round' | 'membersPerMinute' | 'moved' | 'wrong'>,
): Promise<Omit<Line, 'round'>> {
  let [moved, wrong] = [0, 0];
  for (const name of names) {
    const sql = connect(server.cluster, 'postgres', name);
    const [row] = await sql<{ moved: number; wrong: number }[]>`
      select (select count(*)::int from users where active_avatar_id is not null) as moved,
        ((select count(*)::int from avatars) - ${users}) + (select count(*)::int from posts p where not exists (
          select from avatars a where a.id = p.avatar_id and a.owner_user_id = p.user_id)) as wrong`;
    moved += row?.moved ?? 0;
    wrong += Math.abs(row?.wrong ?? 1);
    await sql.end();
  }
  say(
    `  ${duration(line.seconds * 1000)}, ${whole((members * 60) / line.seconds)} members a minute, ${wrong} wrong`,
  );
  return { ...line, membersPerMinute: (members * 60) / line.seconds, moved, wrong };
}

function parse(argv: readonly string[]): Options {
  const number = (value: string): number => {
    if (!/^\d{1,7}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
    return Number(value);
  };
  const command = new Command('npm run bench -- fleet')
    .usage('[options]')
    .description('Measures a fleet of small databases against the same calls made directly.')
    .option('--members <n>', 'databases', number, 200)
    .option('--users <n>', 'users of each', number, 200)
    .option('--kills <n>', 'workers killed on the way, in each line', number, 0)
    .option(
      '--workers <n,n,…>',
      'lines, by number of workers',
      (list) => list.split(',').map(number),
      [1, 2, 4],
    )
    .option('--rounds <n>', 'all lines so often, in turn; shown is the middle one', number, 1)
    .option('--slots <n>', 'members at the same time of each worker', number, 2)
    .option(
      '--connections <n,n,…>',
      'lines of the control database alone, by number of connections',
      (list) => list.split(',').map(number),
      [1, 4, 16],
    )
    .option('--load-seconds <n>', 'for each of these', number, 5)
    .option('--json', 'one JSON object on stdout instead of the table')
    .helpOption('-h, --help', 'show this');
  command.parse(argv, { from: 'user' });
  const { json = false, ...given } = command.opts<Omit<Options, 'json'> & { json?: boolean }>();
  return { ...given, json };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
