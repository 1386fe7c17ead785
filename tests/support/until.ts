import type { Sql } from 'postgres';
import { until } from '../../scripts/plan/conformance/until.ts';

export { pidOf, until } from '../../scripts/plan/conformance/until.ts';

/** Waits until a session waits for a lock, as pg_stat_activity tells. */
export async function untilBlocked(sql: Sql, pid: number): Promise<void> {
  await until(`session ${pid} waits for a lock`, async () => {
    const rows = await sql`select from pg_stat_activity where pid = ${pid} and wait_event_type = 'Lock'`;
    return rows.length > 0;
  });
}
