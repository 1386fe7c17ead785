/** What a benchmark ran on. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Sql } from 'postgres';

export interface Machine {
  cpu: string;
  cores: number;
  memoryBytes: number;
  postgres: string;
  node: string;
  platform: string;
  /** Settings of the server that decide on its speed. */
  settings: Record<string, string>;
}

export async function describeMachine(sql: Sql): Promise<Machine> {
  const settings = await sql<{ name: string; value: string }[]>`
    select name, current_setting(name) as value
    from unnest(array['fsync', 'shared_buffers', 'random_page_cost', 'max_wal_size', 'work_mem', 'autovacuum']) as name`;
  const [server] = await sql<{ version: string }[]>`select current_setting('server_version') as version`;
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    postgres: server?.version ?? 'unknown',
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    settings: Object.fromEntries(settings.map(({ name, value }) => [name, value])),
  };
}
