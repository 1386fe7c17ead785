/** Workers that a command starts on this machine, for as long as it runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Terminal } from '../command/terminal.ts';
import { packageFolder } from '../package.ts';

export interface LocalWorkers {
  children: readonly ChildProcess[];
  /** Has them end their batches and give their members back. */
  stop(): Promise<void>;
}

/** Starts so many. They end with this process, however that ends. */
export function startWorkers(
  count: number,
  slots: number,
  controlUrl: string,
  terminal: Terminal,
): LocalWorkers {
  const children = Array.from({ length: count }, () => startWorker(slots, controlUrl));
  for (const child of children) {
    // What they say is about members: it goes above the line of progress.
    if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => terminal.info(line));
  }
  return {
    children,
    stop: async () => {
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return;
          const gone = new Promise((resolve) => child.once('exit', resolve));
          child.disconnect();
          await gone;
        }),
      );
    },
  };
}

/** Room for objects that were made last. Node takes more of it where the machine has it, and the work gets no faster. */
const youngMegabytes = 8;

/** A worker that ends when this process lets go of it. */
export function startWorker(slots: number, controlUrl: string): ChildProcess {
  const flags = [`--max-semi-space-size=${youngMegabytes}`];
  return spawn(process.execPath, [...flags, workerFile(), 'fleet', 'worker', '--slots', String(slots)], {
    env: { ...process.env, FLEET_DATABASE_URL: controlUrl, npm_lifecycle_event: undefined },
    // A group of its own: Ctrl-C is for the command, which then lets go.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

function workerFile(): string {
  return path.extname(import.meta.url) === '.ts'
    ? path.join(packageFolder, 'scripts', 'imago.ts')
    : path.join(packageFolder, 'dist', 'scripts', 'imago.js');
}
