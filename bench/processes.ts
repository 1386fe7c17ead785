/** What a server's processes for one database use, by what Linux tells of them. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What they used while they were watched. */
export interface ServerUse {
  /** Peak of their private memory, all together: what is shared (buffers, code) is the same for every method. */
  bytes: number;
  cpuSeconds: number;
}

/** How often they are looked at: memory grows over seconds, and looking must cost nothing. */
const sampleMs = 100;

/** The kernel's unit of processor time, the same on every Linux. */
const ticksPerSecond = 100;

/** Watches them until stopped. Undefined where there is no /proc to ask. */
export function watchServer(
  postmaster: number,
  database: string,
): { stop(): Promise<ServerUse | undefined> } {
  const ended = new AbortController();
  let bytes: number | undefined;
  /** By process, since some end before the others. */
  const ticks = new Map<string, number>();
  const look = (): void => {
    const now = processesOf(postmaster, database);
    if (!now) return;
    bytes = Math.max(
      bytes ?? 0,
      now.reduce((sum, process) => sum + process.bytes, 0),
    );
    for (const process of now) ticks.set(process.id, process.ticks);
  };
  const watching = (async () => {
    while (!ended.signal.aborted) {
      look();
      await delay(sampleMs, undefined, { signal: ended.signal }).catch(() => {});
    }
  })();
  return {
    async stop() {
      ended.abort();
      await watching;
      if (bytes === undefined) return undefined;
      const cpuSeconds = [...ticks.values()].reduce((sum, value) => sum + value, 0) / ticksPerSecond;
      return { bytes, cpuSeconds };
    },
  };
}

function processesOf(
  postmaster: number,
  database: string,
): { id: string; bytes: number; ticks: number }[] | undefined {
  let children: string;
  try {
    children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
  } catch {
    return undefined;
  }
  return children
    .trim()
    .split(' ')
    .flatMap((id) => {
      try {
        if (!readFileSync(`/proc/${id}/cmdline`, 'utf8').includes(` ${database} `)) return [];
        const memory = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1];
        // After the name in brackets, which may hold anything: utime and stime are the 14th and 15th of all.
        const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
        return [{ id, bytes: Number(memory ?? 0) * 1024, ticks: Number(fields[11]) + Number(fields[12]) }];
      } catch {
        // It ended between two looks.
        return [];
      }
    });
}
