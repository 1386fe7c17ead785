import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import type { TestProject } from 'vitest/node';
import { type Cluster, connect, removeCluster, startCluster } from '../../scripts/embedded/cluster.ts';
import type { PostgresVersion } from '../../scripts/embedded/native.ts';
import { alive } from '../../scripts/embedded/processes.ts';
import { pendingMigrations, pushMigrations } from '../../scripts/embedded/push.ts';
import { cachedCluster, keepCluster } from './cluster-cache.ts';
import { clusterFolders, roomiestFolder } from './cluster-folders.ts';

/** The database that test databases are copies of: Supabase's roles and schemas, and the migrations. */
export const MIGRATED = 'template_imago';

/** The same without the migrations. */
export const BARE = 'template_supabase';

/** Where test databases are made. */
export interface TestServer {
  port: number;
  password: string;
}

/** A PostgreSQL server of its own, for tests that need another version or that end it. */
export interface TestCluster extends TestServer {
  /** Process id of the postmaster. */
  pid(): number;
  /** Ends it without a word, as a crash or the machine's failure does. */
  crash(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  remove(): Promise<void>;
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: TestServer;
  }
}

const PREFIX = 'imago-test-';

/** One PostgreSQL server for a whole run of vitest, gone with it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  return await provideCluster(project);
}

/** Gives the tests of a project a server of this version. */
export async function provideCluster(
  project: TestProject,
  version?: PostgresVersion,
): Promise<() => Promise<void>> {
  await removeForgotten();
  const cluster = await testCluster(version === undefined ? {} : { version });
  // Hundreds of databases come and go on this server, which is at work all the time: no run of a test is to be slowed for it.
  const { port, password } = cluster;
  const url = (role = 'postgres', database = 'postgres') =>
    `postgresql://${role}:${password}@127.0.0.1:${port}/${database}`;
  const sql = connect({ url }, 'postgres', MIGRATED);
  await sql`update imago.signal set slow = null, hold = null where name in ('checkpoints', 'active')`;
  await neverRest(sql);
  await sql.end();
  project.provide('cluster', { port, password });
  return cluster.remove;
}

/** Lets runs work all the time beside the writers of a test, from their first call. */
export async function neverRest(sql: Sql): Promise<void> {
  await sql`update imago.setting set value = case name when 'notice_ms' then '0' else '100' end
    where name in ('beside_app_percent', 'notice_ms')`;
}

/** Starts a server in a temporary folder, with both templates; where an earlier run kept one of these, a copy of it. */
export async function testCluster(
  options: { version?: PostgresVersion; settings?: Record<string, string> } = {},
): Promise<TestCluster> {
  const version = options.version ?? 17;
  const folder = await mkdtemp(path.join(await roomiestFolder(), `${PREFIX}${process.pid}-`));
  const start = (port?: number) =>
    startCluster({
      folder,
      port,
      version,
      settings: {
        fsync: 'off',
        full_page_writes: 'off',
        max_connections: '200',
        shared_buffers: '128MB',
        max_wal_size: '512MB',
        // Databases live for seconds: to look after hundreds of them is work for nothing.
        autovacuum_naptime: '10min',
        ...options.settings,
      },
    });
  let cluster: Cluster | undefined;
  const remove = async () => {
    await cluster?.stop('immediate');
    await removeCluster(folder);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const cached = await cachedCluster(folder, version);
    cluster = await start();
    if (!cached) {
      await createTemplates(cluster);
      await cluster.stop('fast');
      await keepCluster(folder, version);
      cluster = await start();
    }
  } catch (error) {
    await remove();
    throw error;
  }
  const { port, password } = cluster;
  return {
    port,
    password,
    pid: () => cluster?.pid ?? 0,
    crash: async () => await cluster?.stop('immediate'),
    async restart() {
      cluster = await start(port);
      if (cluster.port !== port) throw new Error(`port ${port} was taken while the server was down`);
    },
    remove,
  };
}

async function createTemplates(cluster: Cluster): Promise<void> {
  const admin = connect(cluster, 'supabase_admin');
  // Tests connect thousands of times, and nothing is kept here: what makes passwords hard to guess is time.
  if (cluster.version >= 16) {
    await admin.unsafe('set scram_iterations = 1');
    for (const role of ['postgres', 'supabase_admin', 'authenticator']) {
      await admin.unsafe(`alter role ${role} password '${cluster.password}'`);
    }
  }
  await admin.end();
  const sql = connect(cluster);
  await sql.unsafe(`create database ${BARE} template postgres`);
  await sql.unsafe(`create database ${MIGRATED} template postgres`);
  await sql.end();
  const migrated = connect(cluster, 'postgres', MIGRATED);
  const pending = await pendingMigrations(migrated).finally(() => migrated.end());
  if (pending.length > 0) await pushMigrations(cluster.url('postgres', MIGRATED));
}

/** Ends and removes the servers of runs that were killed: their folders name a process that is no more. */
async function removeForgotten(): Promise<void> {
  for (const base of clusterFolders()) {
    for (const name of await readdir(base).catch(() => [])) {
      const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
      if (!owner || alive(Number(owner))) continue;
      const folder = path.join(base, name);
      // What another account left is for that to remove.
      if ((await stat(folder)).uid !== userInfo().uid) continue;
      await removeCluster(folder);
      await rm(folder, { recursive: true, force: true });
    }
  }
}
