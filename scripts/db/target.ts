/** Which database `db` works on. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { projectFolder as imagoFolder } from '../embedded/push.ts';
import type { DbEnvironment } from './environment.ts';
import { Problem } from './problem.ts';
import { ensureProjectDatabase, PROJECT_DATABASE, type Server } from './server.ts';

/** Named, not reached yet. */
export type Target =
  /** Imago's own embedded Supabase, as all its commands use it. */
  | { kind: 'embedded'; of: 'imago' }
  /** The database that a project has on the embedded server. */
  | { kind: 'embedded'; of: 'project' }
  | { kind: 'database'; url: string /** The ref of the linked project. */; linked: string | undefined };

/** A database that answers. */
export interface Reached {
  url: string;
  release(): Promise<void>;
}

/** Decides, and refuses what cannot work. Calls nobody. */
export function chooseTarget(
  folder: string,
  { linked }: { linked: boolean },
  environment: DbEnvironment,
): Target {
  if (linked) return linkedProject(folder, environment.SUPABASE_DB_PASSWORD);
  if (environment.DATABASE_URL !== undefined) {
    return { kind: 'database', url: checkUrl(environment.DATABASE_URL, 'DATABASE_URL'), linked: undefined };
  }
  if (environment.SUPABASE_URL !== undefined) {
    throw new Problem(
      'no-target',
      'SUPABASE_URL names a project, but versions are applied over a database connection, and DATABASE_URL is not set.',
      'Set it to the connection string that the dashboard shows under Connect (direct, or session pooler on port 5432), or link the project and use --linked.',
    );
  }
  return { kind: 'embedded', of: path.resolve(folder) === path.resolve(imagoFolder) ? 'imago' : 'project' };
}

/** The target as people read it: never with a password. */
export function describe(target: Target): string {
  if (target.kind === 'embedded') return 'the embedded database (DATABASE_URL is not set)';
  const url = new URL(target.url);
  return `${target.linked ? `the linked project ${target.linked}, ` : ''}${databaseName(target.url)} at ${url.host}`;
}

export function databaseName(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1)) || 'postgres';
}

/** Whether a database is on this machine. */
export function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}

/** The folder of the server that `db` uses for itself. */
export function serverFolder(folder: string): string {
  return path.join(path.resolve(process.env.IMAGO_FOLDER || path.join(folder, '.imago')), 'db');
}

/** Reaches the target: starts what is embedded. */
export async function reach(
  target: Target,
  server: () => Promise<Server>,
  onStep: (text: string) => void,
): Promise<Reached> {
  if (target.kind === 'database') return { url: target.url, release: async () => {} };
  if (target.of === 'project') {
    const running = await server();
    await ensureProjectDatabase(running);
    return { url: running.url(PROJECT_DATABASE), release: async () => {} };
  }
  const { ensureEmbedded } = await import('../embedded/supabase.ts');
  const embedded = await ensureEmbedded({ onStep });
  return { url: embedded.databaseUrl, release: () => embedded.release() };
}

function checkUrl(value: string, name: string): string {
  const url = URL.parse(value);
  if (!url?.protocol.startsWith('postgres') || !url.hostname) {
    throw new Problem(
      'no-target',
      `${name} is not a URL like postgresql://user:password@host:5432/postgres.`,
    );
  }
  if (url.port === '6543') {
    throw new Problem(
      'no-target',
      `${name} goes to the transaction pooler (port 6543), where a version could not keep its settings.`,
      'Use the direct connection or the session pooler (port 5432).',
    );
  }
  return value;
}

/** What `supabase link` has left: which project it is, and the pooler's address, without the password. */
function linkedProject(folder: string, password: string | undefined): Target {
  const left = (name: string): string => {
    const file = path.join(folder, 'supabase', '.temp', name);
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  };
  const ref = left('project-ref');
  if (!/^[a-z]{20}$/.test(ref)) {
    throw new Problem(
      'no-target',
      'No project is linked here.',
      'Link one: npx supabase link --project-ref <ref>',
    );
  }
  const address = new URL(linkedAddress(ref, left('pooler-url')));
  if (!password) {
    throw new Problem(
      'no-target',
      `The linked project ${ref} wants a password, and SUPABASE_DB_PASSWORD is not set.`,
      'Set it in the environment or in .env: dashboard, Database, Settings.',
    );
  }
  // The session pooler: the other one, on port 6543, is for single transactions.
  address.port = '5432';
  address.password = encodeURIComponent(password);
  // As the CLI does: encrypted wherever the server can.
  if (!address.searchParams.has('sslmode')) address.searchParams.set('sslmode', 'prefer');
  return { kind: 'database', url: address.href, linked: ref };
}

/** The pooler, or the database itself where the project was linked with --skip-pooler. */
function linkedAddress(ref: string, pooler: string): string {
  if (pooler === '') return `postgresql://postgres@db.${ref}.supabase.co:5432/postgres`;
  const url = z.url({ protocol: /^postgres(ql)?$/ }).safeParse(pooler).data;
  const [, other = ref] = url ? decodeURIComponent(new URL(url).username).split('.') : [];
  if (url !== undefined && other === ref) return url;
  throw new Problem(
    'no-target',
    url === undefined
      ? 'supabase/.temp/pooler-url is not an address of a database.'
      : `supabase/.temp/pooler-url is that of another project, and not of ${ref}, which is linked.`,
    `Link the project again: npx supabase link --project-ref ${ref}`,
  );
}
