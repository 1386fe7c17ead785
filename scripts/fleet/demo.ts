/** `npm run fleet:demo`: a control database and tenants on a PostgreSQL of its own, migrated in waves, with kills if asked. */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { counted, duration, whole } from '../command/figures.ts';
import { programName } from '../command/invocation.ts';
import { fail } from '../command/refuse.ts';
import { type Desk, runShell } from '../command/shell.ts';
import { writeText } from '../command/streams.ts';
import { colours } from '../command/terminal.ts';
import { type Cluster, connect, removeCluster, startCluster } from '../embedded/cluster.ts';
import { pushMigrations } from '../embedded/push.ts';
import { createSample } from '../embedded/sample.ts';
import { openControl } from './control.ts';
import { type Options, parseOptions } from './demo-options.ts';
import { startWorker } from './local-workers.ts';
import { addMembers } from './members.ts';
import { newMember } from './new-member.ts';
import type { FleetProgress } from './progress.ts';
import { follow, startRollout } from './rollout.ts';
import { installFleet } from './schema.ts';
import { Follower, table } from './show.ts';
import { wishOf } from './wish.ts';

interface Result {
  progress: FleetProgress;
  killed: number;
  /** Databases in which something is not as it should be. */
  wrong: string[];
}

export async function run(argv: readonly string[]): Promise<number> {
  const name = programName('fleet:demo');
  return await runShell<Options, Result | { error: unknown }>(argv, {
    command: 'fleet:demo',
    read: () => parseOptions(argv, name),
    stopping: () => ({ first: 'Stopping, and removing what was made …', second: 'Left at once.' }),
    act: demonstrate,
    failed: (_, error) => ({ error }),
    report: ({ users }, result, terminal) => {
      if ('error' in result) return fail(result.error, terminal, false);
      const { progress, killed, wrong } = result;
      const message =
        wrong.length > 0
          ? `Wrong in ${wrong.join(', ')}.`
          : `Each of ${whole(progress.members.all * users)} users has moved once, by a look at each database; ${counted(killed, 'worker')} killed.`;
      writeText(
        ...table(
          progress,
          message,
          [`A fleet of yours: npm run imago -- fleet --help (each of these had ${whole(users)} users)`],
          colours(process.stdout),
        ),
      );
      return wrong.length === 0 && progress.state === 'succeeded' ? 0 : 1;
    },
  });
}

async function demonstrate(options: Options, desk: Desk): Promise<Result> {
  const { terminal, atEnd } = desk;
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-fleet-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  terminal.info('Starting PostgreSQL …');
  const cluster = await startCluster({ folder, settings: { max_connections: '200', fsync: 'off' } });
  atEnd(async () => {
    await cluster.stop('immediate');
    await removeCluster(folder);
  });
  const names = await makeTenants(cluster, options, desk);
  return await rollOut(cluster, names, options, desk);
}

/** Copies of one database with the sample app and Imago in it. */
export async function makeTenants(
  cluster: Cluster,
  { members, users }: Pick<Options, 'members' | 'users'>,
  { terminal }: Pick<Desk, 'terminal'>,
): Promise<string[]> {
  const admin = connect(cluster, 'supabase_admin');
  try {
    for (const name of ['control', 'tenant'])
      await admin.unsafe(`create database ${name} owner postgres template postgres`);
    terminal.info(`Making ${counted(members, 'tenant database')} with ${whole(users)} users each …`);
    await pushMigrations(cluster.url('postgres', 'tenant'));
    const tenant = connect(cluster, 'postgres', 'tenant');
    await createSample(tenant, users).finally(() => tenant.end());
    const names = Array.from({ length: members }, (_, i) => `tenant_${String(i + 1).padStart(3, '0')}`);
    for (const name of names)
      await admin.unsafe(`create database ${name} owner postgres template tenant strategy file_copy`);
    return names;
  } finally {
    await admin.end();
  }
}

async function rollOut(cluster: Cluster, names: string[], options: Options, desk: Desk): Promise<Result> {
  const { terminal, signal, atEnd } = desk;
  const controlUrl = cluster.url('postgres', 'control');
  const control = openControl(controlUrl, (line) => terminal.warn(line));
  atEnd(() => control.end({ timeout: 1 }));
  await installFleet(control);
  const members = names.map((name, i) => {
    const variable = `${name.toUpperCase()}_DATABASE_URL`;
    process.env[variable] = cluster.url('postgres', name);
    return newMember(name, { databaseUrlEnv: variable, ...(i < 2 && { wave: 'canary' }) });
  });
  await addMembers(control, members, true);
  const workers = Array.from({ length: options.workers }, () => startWorker(2, controlUrl));
  for (const worker of workers) worker.stderr?.resume();
  atEnd(async () => workers.map((worker) => worker.kill('SIGKILL')));
  const { rollout } = await startRollout(
    control,
    wishOf('migrate', 'avatars', { waves: ['canary', '30%', '100%'] }),
  );
  terminal.info('Two tenants first (canary), then a third of all, then the rest.');
  const follower = new Follower(terminal);
  const killer = killing(workers, options.kills, () => startWorker(2, controlUrl), desk);
  try {
    const progress = await follow(
      control,
      rollout,
      signal,
      (now) => {
        follower.show(now);
        killer.look(now);
      },
      (code) => terminal.warn(`The control database is away (${code}).`),
    );
    follower.stop();
    terminal.info(`Looking at each database (${duration(progress.seconds * 1000)} of work) …`);
    return { progress, killed: killer.killed(), wrong: await wrongOnes(cluster, names, options.users) };
  } finally {
    follower.stop();
  }
}

/** Kills a worker each time that a part of the members is done, and starts another in its place. */
function killing(
  workers: ChildProcess[],
  kills: number,
  start: () => ChildProcess,
  { terminal }: Desk,
): { look: (progress: FleetProgress) => void; killed: () => number } {
  let killed = 0;
  return {
    killed: () => killed,
    look({ members }) {
      const due = Math.floor((members.succeeded * (kills + 1)) / members.all);
      // At least one dies at work, if any are to.
      if (killed >= kills || (killed >= due && members.working === 0)) return;
      if (killed > due) return;
      workers.shift()?.kill('SIGKILL');
      killed += 1;
      terminal.warn(`Worker killed (${killed} of ${kills}); another one is started.`);
      const next = start();
      next.stderr?.resume();
      workers.push(next);
    },
  };
}

/** Each user has one avatar, and each post that of its author. */
async function wrongOnes(cluster: Cluster, names: string[], users: number): Promise<string[]> {
  const wrong: string[] = [];
  for (const name of names) {
    const sql: Sql = connect(cluster, 'postgres', name);
    try {
      const [row] = await sql<{ right: boolean }[]>`
        select (select count(*) from users where active_avatar_id is not null) = ${users}
          and (select count(*) from avatars) = ${users}
          and not exists (select from posts p where not exists (
            select from avatars a where a.id = p.avatar_id and a.owner_user_id = p.user_id)) as right`;
      if (!row?.right) wrong.push(name);
    } finally {
      await sql.end();
    }
  }
  return wrong;
}
