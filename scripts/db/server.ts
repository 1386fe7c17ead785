/**
 * The PostgreSQL that comes with the package, as `db` uses it: shadow databases come and go on it, and a project that
 * names no database has its own on it. One command at a time has it; the next one waits.
 */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, connect, startCluster } from '../embedded/cluster.ts';
import { takeFolder } from '../embedded/folder.ts';

export interface Server {
  /** As the role postgres. */
  url(database: string): string;
  release(): Promise<void>;
}

/** The project's own database. */
export const PROJECT_DATABASE = 'project';

/** What other databases are copies of: Supabase's roles and schemas, and nothing else. */
export const PRISTINE = 'postgres';

const WAIT_MS = 120_000;
const POLL_MS = 50;

/** Starts the server of a folder, waiting for another command that has it. */
export async function startServer(folder: string, onStep: (text: string) => void): Promise<Server> {
  await takeFolder(folder);
  const unlock = await takeLock(path.join(folder, 'lock'), onStep);
  let cluster: Cluster;
  try {
    cluster = await startCluster({
      folder: path.join(folder, 'postgres'),
      settings: { max_connections: '50' },
    });
  } catch (error) {
    unlock();
    throw error;
  }
  return {
    url: (database) => cluster.url('postgres', database),
    async release() {
      await cluster.stop();
      unlock();
    },
  };
}

/** Makes the project's database where there is none. */
export async function ensureProjectDatabase(server: Server): Promise<void> {
  const sql = connect({ url: () => server.url(PRISTINE) });
  try {
    const there = await sql`select from pg_database where datname = ${PROJECT_DATABASE}`;
    if (there.length === 0) await sql.unsafe(`create database ${PROJECT_DATABASE} template ${PRISTINE}`);
  } finally {
    await sql.end();
  }
}

/** The lock is the operating system's, so that it goes with the process however that ends. */
async function takeLock(file: string, onStep: (text: string) => void): Promise<() => void> {
  const lock = new DatabaseSync(file, { timeout: 0 });
  const deadline = Date.now() + WAIT_MS;
  for (let waited = false; ; waited = true) {
    try {
      lock.exec('begin exclusive');
      return () => lock.close();
    } catch (error) {
      if (Date.now() > deadline) {
        lock.close();
        throw new Error(`Another command has had the embedded PostgreSQL for too long (${file}).`, {
          cause: error,
        });
      }
      if (!waited) onStep('Waiting for another command that has the embedded PostgreSQL');
      await delay(POLL_MS);
    }
  }
}
