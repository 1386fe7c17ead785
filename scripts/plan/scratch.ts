/** A PostgreSQL server of its own, in a temporary folder, gone when the work is done: the embedded Supabase is not touched. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { connect, removeCluster, startCluster } from '../embedded/cluster.ts';

/** Runs the work on an empty database, as the role postgres. */
export async function withScratchDatabase<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-plan-'));
  try {
    const cluster = await startCluster({ folder, settings: { fsync: 'off', shared_buffers: '64MB' } });
    const sql = connect(cluster);
    try {
      return await work(sql);
    } finally {
      await sql.end({ timeout: 1 });
      await cluster.stop('immediate');
    }
  } finally {
    await removeCluster(folder);
    await rm(folder, { recursive: true, force: true });
  }
}
