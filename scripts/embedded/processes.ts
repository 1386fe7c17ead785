import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const STOP_TIMEOUT_MS = 15_000;
const POLL_MS = 20;

/** Whether a process runs. One that has ended and that nobody reaps, as in a container without an init, does not. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Asks a process to end, then tells it to, and returns when it is gone. */
export async function endProcess(pid: number, first: NodeJS.Signals): Promise<void> {
  for (const signal of [first, 'SIGQUIT', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (Date.now() < deadline) {
      if (!alive(pid)) return;
      await delay(POLL_MS);
    }
  }
  throw new Error(`process ${pid} does not end`);
}
