/** Measures one peer: alone there and back, killed in the middle, and beside an app. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { connect } from '../../scripts/embedded/cluster.ts';
import { endChild, project } from '../children.ts';
import { runApp } from '../foreground/app.ts';
import { percentile } from '../foreground/report.ts';
import { type Api, startApi } from '../runners.ts';
import { copyTemplate, dropDatabase, type Server, type Template } from '../server.ts';
import type { Direction, Peer } from './peers.ts';

export interface Alone {
  usersPerSecond: number;
  walPerUser: number;
  undoSeconds: number;
  /** Of so many edits that the app made after the way there. */
  edits: number;
  editsLost: number;
}

export interface Killed {
  /** Users that were moved when it was killed. */
  movedBefore: number;
  /** What starting it again came to. */
  exitCode: number | null;
  /** Rows that are wrong or left out then. */
  wrong: number;
}

export interface BesideApp {
  p99: number;
  longest: number;
  /** It ended with an error, such as a deadlock with the app. */
  failed: boolean;
}

const edits = 50;

/** A database of a peer, and its processes. */
class Stand {
  readonly sql: Sql;
  readonly url: string;
  readonly #peer: Peer;
  readonly #server: Server;
  readonly #name: string;
  readonly #api: Api | undefined;

  private constructor(server: Server, peer: Peer, name: string, api: Api | undefined) {
    this.#server = server;
    this.#peer = peer;
    this.#name = name;
    this.#api = api;
    this.url = server.cluster.url('postgres', name);
    this.sql = connect(server.cluster, 'postgres', name);
  }

  static async open(server: Server, peer: Peer, template: Template): Promise<Stand> {
    const isImago = peer.key === 'imago';
    // One transaction makes its indexes itself, at its end.
    const name = await copyTemplate(server, template, isImago, !isImago && peer.key !== 'transaction');
    const api = peer.overHttp ? await startApi(server, name) : undefined;
    await server.admin.unsafe('checkpoint');
    return new Stand(server, peer, name, api);
  }

  start(direction: Direction): ChildProcess {
    const { file, args, env } = this.#peer.start(direction, this.url);
    return spawn(file, args, {
      cwd: project,
      env: {
        ...process.env,
        ...env,
        ...(this.#api && { BENCH_API_URL: this.#api.url, BENCH_API_KEY: this.#api.secretKey }),
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  /** Runs it to its end; its exit code. */
  async run(direction: Direction): Promise<number | null> {
    return await exitOf(this.start(direction));
  }

  async moved(): Promise<number> {
    const [row] = await this.sql<{ moved: number }[]>`
      select count(active_avatar_id)::integer as moved from public.users`;
    return row?.moved ?? 0;
  }

  /** Rows that are wrong, or were left out. */
  async wrong(): Promise<number> {
    const text = await readFile(new URL('../sql/wrong.sql', import.meta.url), 'utf8');
    const [row = {}] = await this.sql.unsafe<Record<string, number>[]>(text);
    return Object.entries(row)
      .filter(([name]) => name !== 'columns_without_index')
      .reduce((sum, [, count]) => sum + Math.abs(count), 0);
  }

  async end(): Promise<void> {
    await this.sql.end();
    if (this.#api) await endChild(this.#api.child);
    await dropDatabase(this.#server, this.#name);
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve));
}

/** There and back on an idle server; between the two an app edits some of what was made. */
export async function measureAlone(server: Server, peer: Peer, template: Template): Promise<Alone> {
  const stand = await Stand.open(server, peer, template);
  try {
    const [before] = await server.admin<{ lsn: string }[]>`select pg_current_wal_insert_lsn() as lsn`;
    let began = performance.now();
    const exitCode = await stand.run('there');
    const seconds = (performance.now() - began) / 1000;
    const [wal] = await server.admin<{ bytes: string }[]>`
      select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), ${before?.lsn ?? ''}) as bytes`;
    const wrong = await stand.wrong();
    if (exitCode !== 0 || wrong > 0)
      throw new Error(`${peer.title}: exit code ${exitCode}, ${wrong} rows wrong`);
    await stand.sql`
      update public.avatars a set name = 'edited ' || a.name
      from (select id from public.users order by id limit ${edits}) u where u.id = a.owner_user_id`;
    began = performance.now();
    if ((await stand.run('back')) !== 0) throw new Error(`${peer.title} could not be taken back`);
    const undoSeconds = (performance.now() - began) / 1000;
    const [kept] = await stand.sql<{ edited: number; others: number }[]>`
      select count(*) filter (where name like 'edited %')::integer as edited, count(*) filter (where name not like 'edited %')::integer as others
      from public.avatars`;
    if ((kept?.others ?? 0) > 0) throw new Error(`${peer.title} has left ${kept?.others} avatars`);
    return {
      usersPerSecond: template.users / seconds,
      walPerUser: Number(wal?.bytes) / template.users,
      undoSeconds,
      edits,
      editsLost: edits - (kept?.edited ?? 0),
    };
  } finally {
    await stand.end();
  }
}

/** Killed with signal 9 once a third is moved, or in the middle where that cannot be seen; then started again. */
export async function measureKilled(server: Server, peer: Peer, template: Template): Promise<Killed> {
  const stand = await Stand.open(server, peer, template);
  try {
    const child = stand.start('there');
    const ended = exitOf(child);
    const writing = async () => {
      const [row] = await server.admin<{ writing: boolean }[]>`
        select exists (select from pg_stat_activity
          where datname = ${new URL(stand.url).pathname.slice(1)} and backend_xid is not null and clock_timestamp() - xact_start > interval '200 ms') as writing`;
      return row?.writing ?? false;
    };
    const due = async () =>
      peer.key === 'transaction' ? await writing() : (await stand.moved()) >= template.users / 3;
    while (!(await due()) && child.exitCode === null) await delay(5);
    child.kill('SIGKILL');
    await ended;
    // What the server was at goes on to the end of its statement.
    while (await writing()) await delay(20);
    const movedBefore = await stand.moved();
    const exitCode = await Promise.race([stand.run('there'), delay(120_000, null)]);
    return { movedBefore, exitCode, wrong: await stand.wrong() };
  } finally {
    await stand.end();
  }
}

/** The latency of an app's transactions while it works. */
export async function measureBesideApp(
  server: Server,
  peer: Peer,
  template: Template,
  { pgbench, rate, seconds }: { pgbench: string; rate: number; seconds: number },
): Promise<BesideApp> {
  const stand = await Stand.open(server, peer, template);
  try {
    const app = runApp({
      ...{ pgbench, rate, seconds, users: template.users, writers: 'uniform', url: stand.url },
      warmUpSeconds: 6,
    });
    await delay(2000);
    const child = stand.start('there');
    const ended = exitOf(child);
    const latencies = await app;
    const failed = child.exitCode !== null && child.exitCode !== 0;
    child.kill('SIGKILL');
    await ended;
    return { p99: percentile(latencies, 99), longest: latencies.at(-1) ?? Number.NaN, failed };
  } finally {
    await stand.end();
  }
}
