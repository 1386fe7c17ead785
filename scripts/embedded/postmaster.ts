/**
 * The server process of a data folder, by the file that it keeps there.
 *
 * By hand: no library reads that file, and pg_ctl takes any process that has the number of a killed server for the server.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { alive, endProcess } from './processes.ts';

/** Stops a server that an earlier process left running on this folder. */
export async function stopLeftover(home: string): Promise<void> {
  const data = path.join(home, 'data');
  const lock = await readLock(data);
  if (!lock) return;
  if (alive(lock.pid) && servesFolder(lock.pid, data)) await endProcess(lock.pid, 'SIGINT');

  // What a killed server leaves names a process that may exist again as another one, or still as one that nobody reaps,
  // and PostgreSQL would not start beside it. Its parent's number, ours, it passes over. The file itself must stay: by it
  // PostgreSQL recognises backends that outlived their postmaster.
  const file = path.join(data, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) await writeFile(file, text.replace(/^\d+/, String(process.pid)));
}

/** What postmaster.pid says: its first line is the process id, its eighth the state. */
export async function readLock(data: string): Promise<{ pid: number; ready: boolean } | undefined> {
  const text = await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => undefined);
  const lines = text?.split('\n');
  const pid = Number(lines?.[0]);
  return lines && pid > 0 ? { pid, ready: lines[7]?.trim() === 'ready' } : undefined;
}

/** Whether a process is a PostgreSQL server on this data folder, and not one that got the same number later. */
function servesFolder(pid: number, data: string): boolean {
  try {
    const command =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        : execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' });
    return command.includes(`-D ${data} `);
  } catch {
    return false;
  }
}
