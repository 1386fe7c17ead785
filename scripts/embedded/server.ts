/**
 * The process behind the embedded Supabase: it owns PostgreSQL, the Data API and the edge functions of one folder for
 * as long as a command holds a connection to its control port. A command that dies, by kill -9 too, lets go of its
 * connection; the last one's end stops the server. Started by supabase.ts with the folder as argument, and --reset if
 * whatever is there must go first.
 */
import { timingSafeEqual } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Sql } from 'postgres';
import { plain } from '../command/printable.ts';
import { type Cluster, connect, removeCluster, startCluster } from './cluster.ts';
import { publicHalf } from './credentials.ts';
import { type DataApi, openDataApi, serveHttp } from './data-api.ts';
import { functionsOnDemand } from './functions.ts';
import { type Background, runJobs } from './jobs.ts';
import { listenOnLoopback } from './loopback.ts';
import { pendingMigrations, pushMigrations } from './push.ts';
import { sendRequests } from './requests.ts';
import { createApp, createSample, SAMPLE_USERS, sampleUsers } from './sample.ts';
import {
  type Endpoints,
  type Hello,
  helloSchema,
  type Outcome,
  type Reply,
  readSettings,
  writeSettings,
  writeState,
} from './state.ts';

interface Holder {
  socket: Socket;
  kind: Hello['kind'];
}

const folder = path.resolve(process.argv[2] ?? '');
const clusterFolder = path.join(folder, 'postgres');
const holders = new Set<Holder>();
let cluster: Cluster | undefined;
let api: DataApi | undefined;
let background: Background[] = [];
let closing = false;
/** Starting, resetting and preparing happen one after the other. */
let queue: Promise<unknown> = Promise.resolve();

if (!takeLock()) {
  await tell({ type: 'busy' });
  process.exit();
}

const settings = readSettings(folder);
const http = await orTell(
  serveHttp(settings.apiPort, () => api, { answer: (request) => functions.answer(request) }),
);
const functions = functionsOnDemand({
  apiUrl: http.url,
  keys: {
    publishable: { default: settings.publishableKey },
    secret: { default: settings.secretKey },
    jwks: publicHalf(settings.signingKey),
  },
});
// Half-open, so that the last one to let go can wait for the end.
const control = createServer({ allowHalfOpen: true }, welcome);
const controlPort = await orTell(listenOnLoopback(control));
const token = crypto.randomUUID();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void close());
// Until the command that started us holds a connection, its process stands for it.
process.on('disconnect', closeIfUnused);

try {
  await inTurn(async () => {
    if (process.argv[3] === '--reset') await removeAll();
    await start();
  });
  await tell({ type: 'listening' });
} catch (error) {
  await tell({ type: 'failed', message: reasonOf(error) });
  await close();
}

/** What we cannot begin without: where it fails, the command that started us is told why, and that is all. */
async function orTell<T>(needed: Promise<T>): Promise<T> {
  return await needed.catch(async (error) => {
    await tell({ type: 'failed', message: reasonOf(error) });
    process.exit(1);
  });
}

/** A machine that has no port left says so to the next one that listens or connects. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL') return messageOf(error);
  return `no network port is free on 127.0.0.1 (${messageOf(error)}). End what holds so many, or wait some minutes for closed connections to be forgotten; then run it again.`;
}

/** One server a folder: the lock is the operating system's, so that it goes with the process however that ends. */
function takeLock(): boolean {
  const lock = new DatabaseSync(path.join(folder, 'lock'), { timeout: 0 });
  try {
    lock.exec('begin exclusive');
    // Closing the database would release the lock; keep it reachable for as long as the process lives.
    process.once('exit', () => lock.close());
    return true;
  } catch {
    lock.close();
    return false;
  }
}

/** Tells the command that started us; one that has died meanwhile is told nothing. */
async function tell(outcome: Outcome): Promise<void> {
  if (process.connected) await new Promise<unknown>((resolve) => process.send?.(outcome, resolve));
}

async function start(): Promise<void> {
  const started = await startCluster({
    folder: clusterFolder,
    password: settings.password,
    port: settings.databasePort,
    // As on hosted Supabase, where the extension of that name shows what it counts.
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  });
  cluster = started;
  void started.gone.then(() => recover(started));
  api = await openDataApi(started, settings, http.url);
  background = [runJobs(started), await sendRequests(started)];
  settings.databasePort = started.port;
  settings.apiPort = Number(new URL(http.url).port);
  writeSettings(folder, settings);
  writeState(folder, {
    ...endpoints(started),
    pid: process.pid,
    postgresPid: started.pid,
    control: { port: controlPort, token },
  });
}

async function stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
  const stopped = cluster;
  const closed = [...background, ...(api ? [api] : [])];
  cluster = undefined;
  api = undefined;
  background = [];
  await Promise.all(closed.map((part) => part.close()));
  await stopped?.stop(mode);
}

async function removeAll(): Promise<void> {
  await removeCluster(clusterFolder);
  settings.project = undefined;
  writeSettings(folder, settings);
}

/** PostgreSQL ended though nobody asked it to: start it again, on the same port. */
async function recover(ended: Cluster): Promise<void> {
  await inTurn(async () => {
    if (closing || cluster !== ended) return;
    console.error('PostgreSQL ended unexpectedly, starting it again');
    await stop();
    await start();
  }).catch(async (error) => {
    console.error(error);
    await close();
  });
}

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = queue.then(work);
  queue = result.catch(() => {});
  return result;
}

function endpoints({ url }: Cluster): Endpoints {
  return {
    url: http.url,
    publishableKey: settings.publishableKey,
    secretKey: settings.secretKey,
    databaseUrl: url('postgres'),
  };
}

/** A connection to the control port. Its first line says who it is, anything after that is of no meaning. */
function welcome(socket: Socket): void {
  let holder: Holder | undefined;
  const reply = (message: Reply) => void (socket.writable && socket.write(`${JSON.stringify(message)}\n`));
  // A command that was killed resets its connection: `close` follows.
  socket.on('error', () => {});
  const leave = () => {
    if (holder) holders.delete(holder);
    closeIfUnused();
    // The last one's connection ends with this process.
    if (!closing) socket.end();
  };
  socket.once('end', leave);
  socket.once('close', leave);
  const lines = createInterface({ input: socket });
  // readline passes the socket's errors on.
  lines.on('error', () => {});
  lines.once('line', (line) => {
    const hello = readHello(line);
    if (!hello || closing) {
      socket.destroy();
      return;
    }
    holder = { socket, kind: hello.kind };
    holders.add(holder);
    reply({ type: 'welcome' });
    const self = holder;
    inTurn(() => prepare(hello, self, (text) => reply({ type: 'step', text }))).then(
      (ready) => reply({ type: 'ready', endpoints: ready }),
      (error) => {
        reply({ type: 'failed', message: reasonOf(error) });
        socket.end();
      },
    );
  });
}

function readHello(line: string): Hello | undefined {
  try {
    const hello = helloSchema.parse(JSON.parse(line));
    const given = Buffer.from(hello.token);
    const wanted = Buffer.from(token);
    return given.length === wanted.length && timingSafeEqual(given, wanted) ? hello : undefined;
  } catch {
    return undefined;
  }
}

/** Brings the database to where a command wants it: reset if asked, migrations applied, the sample app in it. */
async function prepare(hello: Hello, self: Holder, step: (text: string) => void): Promise<Endpoints> {
  if (hello.reset) {
    const busy = [...holders].some((other) => other !== self && other.kind === 'command');
    if (busy) {
      throw new Error(
        '--reset would take the database away from another command that is using it: end that one first',
      );
    }
    step('Starting over with an empty database');
    await stop('immediate');
    await removeAll();
    await start();
  }
  if (!cluster) throw new Error('PostgreSQL is not running');
  const sql = connect(cluster);
  try {
    await takeProject(sql, hello, step);
    const project = settings.project;
    const pending = await pendingMigrations(sql, project);
    if (pending.length > 0) {
      step(
        `Applying ${pending.length === 1 ? 'one migration' : `${pending.length} migrations`} with supabase db push`,
      );
      await pushMigrations(cluster.url('postgres'), project);
    }
    const isEmpty = project === undefined && !(await hasTables(sql));
    const users = await sampleUsers(sql);
    const wanted = hello.sample ?? SAMPLE_USERS;
    if (isEmpty && hello.app !== null) {
      step(`Creating the app of ${path.basename(hello.app)} with ${wanted.toLocaleString('en')} users`);
      await createApp(sql, hello.app, wanted);
    } else if (isEmpty) {
      step(`Creating the sample app with ${wanted.toLocaleString('en')} users`);
      await createSample(sql, wanted);
    } else if (hello.app !== null) {
      throw new Error(startOver('holds an app already', `have that of ${path.basename(hello.app)} instead`));
    } else if (hello.sample !== null && hello.sample !== users) {
      const holds = `holds ${contents(users)}`;
      throw new Error(startOver(holds, `have one with ${hello.sample.toLocaleString('en')} users instead`));
    }
    await api?.reload();
    return endpoints(cluster);
  } finally {
    await sql.end();
  }
}

/** From its first migration on a database is that of one project, whichever command comes next. */
async function takeProject(sql: Sql, hello: Hello, step: (text: string) => void): Promise<void> {
  const { project } = hello;
  if (project === null || project.folder === settings.project) return;
  if (settings.project === undefined && !(await hasTables(sql))) {
    settings.project = project.folder;
    writeSettings(folder, settings);
    return;
  }
  const refusal = startOver(
    `holds ${contents(await sampleUsers(sql))}`,
    `have the project in ${project.folder} instead`,
  );
  if (project.isAsked) throw new Error(refusal);
  step(refusal);
}

function startOver(holds: string, wish: string): string {
  return `The embedded database ${holds}. To ${wish}, add --reset: what is in it is lost then`;
}

function contents(users: number | undefined): string {
  if (settings.project !== undefined) return `the project in ${settings.project}`;
  return users === undefined
    ? 'an app of its own'
    : `the sample app with ${users.toLocaleString('en')} users`;
}

async function hasTables(sql: Sql): Promise<boolean> {
  const [tables] = await sql<{ exist: boolean }[]>`
    select exists (select from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')) as exist`;
  return tables?.exist ?? false;
}

function closeIfUnused(): void {
  if (holders.size === 0 && !process.connected) void close();
}

/** Stops everything. A preparation under way fails as its database goes, and nobody is left to hear of it. */
async function close(): Promise<void> {
  if (closing) return;
  closing = true;
  try {
    http.server.close();
    http.server.closeAllConnections();
    await functions.close();
    await stop();
    rmSync(path.join(folder, 'state.json'), { force: true });
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  // Commands that wait for the end see their connection close, after everything else has.
  for (const { socket } of holders) socket.destroy();
  process.exit();
}

function messageOf(error: unknown): string {
  console.error(error);
  return plain(error instanceof Error ? error.message : String(error));
}
