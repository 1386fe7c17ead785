import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { connect, removeCluster, startCluster } from '../../scripts/embedded/cluster.ts';
import { pendingMigrations, pushMigrations } from '../../scripts/embedded/push.ts';

/** The database that every test database is a copy of: Supabase's roles and schemas, and the migrations. */
export const TEMPLATE = 'template_imago';

declare module 'vitest' {
  interface ProvidedContext {
    cluster: { port: number; password: string };
  }
}

/** One PostgreSQL server for a whole run of vitest, gone with it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-test-'));
  const cluster = await startCluster({
    folder,
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '200', shared_buffers: '128MB' },
  });
  const remove = async () => {
    await cluster.stop('immediate');
    await removeCluster(folder);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const sql = connect(cluster);
    // The database postgres stays as the roles file left it.
    await sql.unsafe(`create database ${TEMPLATE} template postgres`).finally(() => sql.end());
    const template = connect(cluster, 'postgres', TEMPLATE);
    const pending = await pendingMigrations(template).finally(() => template.end());
    if (pending.length > 0) await pushMigrations(cluster.url('postgres', TEMPLATE));
  } catch (error) {
    await remove();
    throw error;
  }
  project.provide('cluster', { port: cluster.port, password: cluster.password });
  return remove;
}
