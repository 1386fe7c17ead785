import type { TestDatabase } from './database.ts';
import { until } from './until.ts';

/** A reader of a logical replication slot that is connected and takes what it gets, without ever saying so; ends with the test's database. */
export async function readSlot(db: TestDatabase, slot: string): Promise<void> {
  const reader = db.connect({
    role: 'supabase_admin',
    max: 1,
    fetch_types: false,
    connection: { replication: 'database' } as never,
  });
  const stream = await reader.unsafe(`START_REPLICATION SLOT ${slot} LOGICAL 0/0`).writable();
  stream.on('error', () => {});
  await until('the slot is being read', async () => {
    const [row] = await db.sql<{ active: boolean }[]>`
      select active from pg_replication_slots where slot_name = ${slot}`;
    return row?.active === true;
  });
}
