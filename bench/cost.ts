/** What work costs the server: the processor time of the session that does it. On Linux only. */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';

/** Milliseconds for which the server's process of a session has had a processor. */
async function processorMs(sql: Sql): Promise<number> {
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return Number((await readFile(`/proc/${row?.pid}/schedstat`, 'utf8')).split(' ')[0]) / 1e6;
}

/** Milliseconds of processor time that work takes in the session of a client of one connection. */
export async function cost(sql: Sql, work: () => Promise<unknown>): Promise<number> {
  const before = await processorMs(sql);
  await work();
  return (await processorMs(sql)) - before;
}

/** Calls until everybody is moved, or taken back. */
export async function toTheEnd(
  sql: Sql,
  name: 'migrate_batch' | 'rollback_batch',
  plan: string,
): Promise<void> {
  for (;;) {
    const [row] = await sql.unsafe<{ more: boolean; state: string }[]>(
      `select (a ->> 'has_more')::boolean as more, a ->> 'state' as state from public.${name}('${plan}') a`,
    );
    if (row?.more) continue;
    if (row?.state !== 'succeeded') throw new Error(`${name} ended as ${row?.state}`);
    return;
  }
}
