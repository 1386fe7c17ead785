/**
 * `npm run bench -- slot`: a replication slot whose consumer reads slowly while a run writes fast. Without the governor the
 * server cuts the slot off as soon as it keeps more than it may; with it the run waits for the consumer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import Table from 'cli-table3';
import type { Sql } from 'postgres';
import { duration, whole } from '../scripts/command/figures.ts';
import { connect } from '../scripts/embedded/cluster.ts';
import { describeMachine } from './machine.ts';
import { parseSizes } from './options.ts';
import {
  copyTemplate,
  createTemplate,
  dropDatabase,
  type Server,
  startServer,
  type Template,
} from './server.ts';

const megabyte = 1024 * 1024;

/** What the consumer reads in a second. */
const reads = 5 * megabyte;

/** How often the consumer reads. */
const readMs = 100;

/** How a run beside a slot has ended. */
export interface SlotLine {
  governed: boolean;
  isLost: boolean;
  /** Users that had moved by then. */
  moved: number;
  seconds: number;
  /** The most that the slot kept, in bytes. */
  kept: number;
}

/** Measures both lines, and prints them. Exit code 1 where the governed run has lost the slot, or not ended. */
export async function slot(argv: readonly string[]): Promise<number> {
  const { users, keep, json } = parseSizes(
    'slot',
    'Measures a run beside a replication slot that is read at 5 MB/s.',
    argv,
    {
      users: 100_000,
      keep: 256,
    },
  );
  const server = await startServer({
    wal_level: 'logical',
    max_slot_wal_keep_size: `${keep}MB`,
    // The server looks at slots when it makes a checkpoint.
    min_wal_size: '64MB',
    max_wal_size: '128MB',
  });
  try {
    const machine = await describeMachine(server.admin);
    console.error(`${whole(users)} users: loading`);
    const template = await createTemplate(server, users);
    const lines: SlotLine[] = [];
    for (const governed of [false, true]) {
      console.error(governed ? 'With the governor' : 'Without the governor');
      lines.push(await measure(server, template, governed));
    }
    process.stdout.write(
      json ? `${JSON.stringify({ machine, users, keep, lines })}\n` : `${toText(lines, users, keep)}\n`,
    );
    return lines.every(({ governed, isLost, moved }) => !governed || (!isLost && moved === users)) ? 0 : 1;
  } finally {
    await server.remove();
  }
}

async function measure(server: Server, template: Template, governed: boolean): Promise<SlotLine> {
  const database = await copyTemplate(server, template, true);
  const sql = connect(server.cluster, 'postgres', database);
  const reader = connect(server.cluster, 'supabase_admin', database);
  try {
    if (!governed) await sql`select public.throttle_migration(ignore => '{slot}')`;
    return { governed, ...(await runBeside(sql, reader, reads)) };
  } finally {
    await Promise.all([sql.end(), reader.end()]);
    await dropDatabase(server, database);
  }
}

/** Runs the plan avatars beside a slot that is read at so many bytes a second, until its end or until the slot is lost. */
export async function runBeside(
  sql: Sql,
  reader: Sql,
  bytesPerSecond: number,
): Promise<Omit<SlotLine, 'governed'>> {
  await reader`select pg_create_logical_replication_slot('pipelines', 'test_decoding')`;
  const ended = new AbortController();
  const reading = consume(reader, bytesPerSecond, ended.signal);
  const startedAt = performance.now();
  try {
    for (let hasMore = true; hasMore && !ended.signal.aborted; ) {
      const [row] = await sql<[{ answer: { status: string; has_more: boolean; retry_after_ms: number } }]>`
        select public.migrate_batch() as answer`;
      const { status, has_more, retry_after_ms } = row.answer;
      if (status === 'failed') throw new Error(`Imago answered ${JSON.stringify(row.answer)}`);
      hasMore = has_more;
      await Promise.race([delay(retry_after_ms), reading]);
      if ((await stateOf(sql)).isLost) break;
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const { isLost } = await stateOf(sql);
    const [counted] = await sql<[{ moved: number }]>`
      select count(active_avatar_id)::int as moved from public.users`;
    ended.abort();
    return { isLost, moved: counted.moved, seconds, kept: await reading };
  } finally {
    ended.abort();
    await reading.catch(() => 0);
    const drop = () => reader`select pg_drop_replication_slot('pipelines')`;
    await drop().catch(drop);
  }
}

/** Reads the slot at that pace, and no faster to catch up, until it is told to stop or the slot is lost; the most that it kept. */
async function consume(sql: Sql, bytesPerSecond: number, ended: AbortSignal): Promise<number> {
  let most = 0;
  let readAt = performance.now();
  while (!ended.aborted) {
    // Who reads a slot that is being cut off loses the connection; the next statement has a new one.
    const state = await stateOf(sql).catch(() => undefined);
    if (!state) continue;
    most = Math.max(most, state.kept);
    if (state.isLost) return most;
    const now = performance.now();
    const bytes = Math.round((bytesPerSecond * (now - readAt)) / 1000);
    readAt = now;
    // It may be lost between the two.
    await sql`
      select count(*)
      from pg_replication_slots s
      cross join lateral pg_logical_slot_get_changes(s.slot_name, s.confirmed_flush_lsn + ${bytes}::numeric, null)
      where s.slot_name = 'pipelines'`.catch(() => undefined);
    await delay(readMs, undefined, { signal: ended }).catch(() => undefined);
  }
  return most;
}

async function stateOf(sql: Sql): Promise<{ isLost: boolean; kept: number }> {
  const [row] = await sql<[{ isLost: boolean; kept: number }]>`
    select coalesce(wal_status = 'lost', true) as "isLost",
           coalesce(pg_current_wal_insert_lsn() - restart_lsn, 0)::float8 as kept
    from pg_replication_slots where slot_name = 'pipelines'`;
  return row ?? { isLost: true, kept: 0 };
}

function toText(lines: readonly SlotLine[], users: number, keep: number): string {
  const table = new Table({
    head: ['governor', 'slot', 'moved', 'after', 'kept at most'],
    style: { head: [], border: [] },
  });
  for (const { governed, isLost, moved, seconds, kept } of lines)
    table.push([
      governed ? 'on' : 'does not look at slots',
      isLost ? 'lost' : 'kept',
      `${whole(moved)} of ${whole(users)}`,
      duration(seconds * 1000),
      `${Math.round(kept / megabyte)} of ${keep} MB`,
    ]);
  return String(table);
}
