/** A PostgreSQL server of its own, in a temporary folder, gone when the work is done: the embedded Supabase is not touched. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { type Cluster, connect, type Role, removeCluster, startCluster } from '../embedded/cluster.ts';
import type { Database } from './conformance/callers.ts';

/** Makes databases for nothing else. */
export interface Scratch {
  /** A copy of one that nobody is connected to, or with nothing but what a Supabase project has from the start. */
  database(template?: string): Promise<Database & { name: string }>;
}

/** Of a server, with which they go. */
class OnCluster implements Scratch {
  readonly #cluster: Cluster;
  #count = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async database(template = 'postgres'): Promise<Database & { name: string }> {
    const name = `scratch_${++this.#count}`;
    await this.#administer('postgres', `create database ${name} template ${template} strategy file_copy`);
    const sql = connect(this.#cluster, 'postgres', name, { max: 10 });
    const others: Sql[] = [];
    return {
      name,
      sql,
      connect: (options = {}) => {
        const other = connect(this.#cluster, 'postgres', name, options);
        others.push(other);
        return other;
      },
      drop: async () => {
        await Promise.all([sql, ...others].map((client) => client.end({ timeout: 0 })));
        // A session of a superuser that is just ending can be ended by a superuser only.
        await this.#administer('supabase_admin', `drop database ${name} with (force)`);
      },
    };
  }

  async #administer(role: Role, statement: string): Promise<void> {
    const sql = connect(this.#cluster, role);
    await sql.unsafe(statement).finally(() => sql.end());
  }
}

/** Runs the work with a server that is there for nothing else. Where the signal is aborted the server goes at once. */
export async function withScratch<T>(
  signal: AbortSignal,
  work: (scratch: Scratch) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-plan-'));
  try {
    const cluster = await startCluster({
      folder,
      settings: { fsync: 'off', shared_buffers: '64MB' },
    });
    let abort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason);
    });
    signal.addEventListener('abort', abort);
    try {
      signal.throwIfAborted();
      return await Promise.race([work(new OnCluster(cluster)), aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
      await cluster.stop('immediate');
    }
  } finally {
    await removeCluster(folder);
    await rm(folder, { recursive: true, force: true });
  }
}
