/** Reaches the target of a command: the project as it is, the embedded Supabase by starting it where it is not running. */
import dns from 'node:dns';
import { isLoopback } from '../connection/loopback.ts';
import type { EmbeddedTarget, ProjectTarget } from './target.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage.ts';

/** Where the command works, reachable. */
export interface Reached {
  url: string;
  secretKey: string;
  databaseUrl: string | undefined;
  /** False when nobody but this command can be calling it. */
  shared: boolean;
  release(): Promise<void>;
}

/** The first line of every command: where it works, before anything is started, asked or changed. */
export function sayTarget(terminal: Terminal, target: ProjectTarget | EmbeddedTarget, plan?: string): void {
  const where = target.kind === 'project' ? target.url : 'the embedded Supabase (SUPABASE_URL is not set)';
  terminal.info(`Target: ${terminal.paint.bold(where)}${plan === undefined ? '' : `, plan ${plan}`}`);
}

/** Gives the target's address and key. `sample` and `reset` are for the embedded one only. */
export async function reach(
  target: ProjectTarget | EmbeddedTarget,
  terminal: Terminal,
  { sample, reset = false }: { sample?: number | undefined; reset?: boolean } = {},
): Promise<Reached> {
  if (target.kind === 'project') {
    await expectThisMachine(target.url);
    return { ...target, shared: true, release: async () => {} };
  }
  // Loaded only when needed: a real project wants neither PostgreSQL nor the local Data API.
  const [{ ensureEmbedded }, { projectHere }] = await Promise.all([
    import('../embedded/supabase.ts'),
    import('../embedded/here.ts'),
  ]);
  const project = sample === undefined ? await projectHere() : undefined;
  const onStep = (step: string): void => terminal.info(`${step} …`);
  const embedded = await ensureEmbedded({ sample, project, reset, onStep });
  terminal.info(
    `It is ${embedded.shared ? 'running already' : 'running for this command'} at ${embedded.url}`,
  );
  return embedded;
}

/** Without TLS a URL names this machine, and its name can lead elsewhere all the same: the key would be readable on the way. */
async function expectThisMachine(url: string): Promise<void> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'http:') return;
  // What is not found is not called either.
  const found = await dns.promises
    .lookup(hostname.replace(/^\[(.*)\]$/, '$1'), { all: true })
    .catch(() => []);
  const elsewhere = found.find(({ address }) => !isLoopback(address));
  if (elsewhere === undefined) return;
  throw new UsageError(
    `SUPABASE_URL starts with http://, and the name ${hostname} leads to another machine (${elsewhere.address}): the secret key would be readable on the way.`,
    'Write http://127.0.0.1:<port>, or correct the name in /etc/hosts.',
  );
}
