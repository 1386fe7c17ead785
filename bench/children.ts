/** The processes that a benchmark starts. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const project = fileURLToPath(new URL('..', import.meta.url));

const children = new Set<ChildProcess>();

export interface NodeStart {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Whether it exchanges messages with this process. */
  talks?: boolean;
}

/** Starts Node; scripts of the project are named from its folder. What they print is not looked at, but for errors. */
export function startNode(
  args: string[],
  { env, cwd = project, talks = false }: NodeStart = {},
): ChildProcess {
  const absolute = args.map((arg) => (/^(bench|scripts)\//.test(arg) ? path.join(project, arg) : arg));
  const child = spawn(process.execPath, absolute, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit', ...(talks ? (['ipc'] as const) : [])],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** What the process says next, or the exit code with which it ends without a word. */
export function nextNews(child: ChildProcess): Promise<{ message: unknown } | { exitCode: number | null }> {
  return new Promise((resolve) => {
    const hear = (message: unknown): void => {
      child.off('exit', miss);
      resolve({ message });
    };
    const miss = (exitCode: number | null): void => {
      child.off('message', hear);
      resolve({ exitCode });
    };
    child.once('message', hear);
    child.once('exit', miss);
  });
}

/** What the process says next; an error if it ends without a word. */
export async function nextMessage(child: ChildProcess): Promise<unknown> {
  const news = await nextNews(child);
  if ('message' in news) return news.message;
  throw new Error(`${path.basename(child.spawnargs[1] ?? '')} ended with exit code ${news.exitCode}`);
}

/** Ends a process, if it has not ended by itself, and waits until it is gone. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Ends what is being measured. */
export function endChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}
