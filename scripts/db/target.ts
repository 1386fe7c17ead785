/** Which database `db` works on. */
import { existsSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { UsageError } from '../command/usage.ts';
import { checkedDatabaseUrl, type DatabaseAddress, readDatabaseUrl } from '../connection/address.ts';
import { isLoopback } from '../connection/loopback.ts';
import { projectFolder as imagoFolder } from '../embedded/push.ts';
import type { DbEnvironment } from './environment.ts';
import { HOSTED_DATABASE, type OwnDatabase } from './own-database.ts';
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
  if (linked) return linkedProject(folder, environment);
  if (environment.DATABASE_URL !== undefined) {
    const reading = { name: 'DATABASE_URL', roots: environment.PGSSLROOTCERT };
    return { kind: 'database', url: checkUrl(environment.DATABASE_URL, reading), linked: undefined };
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

/**
 * The database that versions are applied to. On the embedded server the name that hosted projects have stands for it. On
 * every other one that is the name of whichever database is called so there: of another one, unless it is the target.
 */
export function ownIn(target: Target): OwnDatabase {
  if (target.kind === 'database') {
    const name = databaseName(target.url);
    return { name, called: new Set([name]) };
  }
  return { name: target.of === 'imago' ? HOSTED_DATABASE : PROJECT_DATABASE, called: calledIn(target) };
}

/** The target as people read it: never with a password. */
export function describe(target: Target): string {
  if (target.kind === 'embedded') return 'the embedded database (DATABASE_URL is not set)';
  const { database, host, port } = addressOf(target.url);
  const place = isIPv6(host) ? `[${host}]` : host;
  return `${target.linked ? `the linked project ${target.linked}, ` : ''}${database} at ${place}:${port}`;
}

/** What versions call the database that they are for: as everywhere on Supabase, and as it is called here. */
export function calledIn(target: Target): Set<string> {
  return new Set([HOSTED_DATABASE, target.kind === 'database' ? databaseName(target.url) : HOSTED_DATABASE]);
}

export function databaseName(url: string): string {
  return addressOf(url).database;
}

/** The other machine that a database is on; undefined where it is on this one. */
export function otherMachine(url: string): string | undefined {
  const { host } = addressOf(url);
  return isLoopback(host) ? undefined : host;
}

function addressOf(url: string): DatabaseAddress {
  return readDatabaseUrl(url, { name: 'The database URL' });
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

function checkUrl(value: string, reading: { name: string; roots: string | undefined }): string {
  const url = checked(value, reading);
  if (addressOf(url).port === 6543) {
    throw new Problem(
      'no-target',
      `${reading.name} goes to the transaction pooler (port 6543), where a version could not keep its settings.`,
      'Use the direct connection or the session pooler (port 5432).',
    );
  }
  return url;
}

/** What a URL says, or a refusal in the words of this command. */
function checked(value: string, reading: { name: string; roots: string | undefined }): string {
  try {
    return checkedDatabaseUrl(value, reading);
  } catch (error) {
    throw error instanceof UsageError ? new Problem('no-target', error.message, error.hint) : error;
  }
}

/** What `supabase link` has left: which project it is, and the pooler's address, without the password. */
function linkedProject(folder: string, environment: DbEnvironment): Target {
  const { SUPABASE_DB_PASSWORD: password, PGSSLROOTCERT: roots } = environment;
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
  const url = checked(address.href, { name: 'supabase/.temp/pooler-url', roots });
  return { kind: 'database', url, linked: ref };
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
