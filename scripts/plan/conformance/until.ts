/** Waits for what other sessions do. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';

const POLL_MS = 5;

/** Waits until a condition holds, looking again and again; fails after a while. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await delay(POLL_MS);
  }
}

/** The process id of a client of one connection. */
export async function pidOf(sql: Sql): Promise<number> {
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return row?.pid ?? 0;
}
