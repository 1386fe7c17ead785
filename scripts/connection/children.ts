/** How programs that are started to connect are told to do it as this package does: pg_dump and the Supabase CLI. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type DatabaseAddress, databaseUrl } from './address.ts';
import { trustedCertificates } from './trust.ts';

/** Of libpq's variables those that say who connects, and not to where or how safely. */
const harmless = new Set([
  'PGPASSFILE',
  'PGPASSWORD',
  'PGSSLCERT',
  'PGSSLKEY',
  'PGCLIENTENCODING',
  'PGLOCALEDIR',
]);

/** The environment without what would lead libpq elsewhere than the URL does: PGHOSTADDR, PGSERVICE, PGSSLMODE and their like. */
export function undirected(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !/^PG(?!_)/.test(name) || harmless.has(name));
  return Object.fromEntries(kept);
}

/** An address as libpq's variables: what stands in argv can be read by every user of the machine. */
export function libpqVariables(address: DatabaseAddress, roots: string | undefined): NodeJS.ProcessEnv {
  const { host, port, user, password, database, protection, connectSeconds, settings } = address;
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    PGAPPNAME: 'imago',
    PGCONNECT_TIMEOUT: String(connectSeconds),
    PGSSLMODE: protection,
    // Kerberos would go before TLS.
    PGGSSENCMODE: 'disable',
    ...(roots !== undefined && { PGSSLROOTCERT: roots }),
    // By it some poolers know which database is meant.
    ...(settings.options !== undefined && { PGOPTIONS: settings.options }),
    ...(password !== undefined && { PGPASSWORD: password }),
  };
}

/** Gives the file of the certificates that are trusted, there for as long as the work takes; undefined where none are asked for. */
export async function withRootsFile<Result>(
  address: DatabaseAddress,
  work: (file: string | undefined) => Promise<Result>,
): Promise<Result> {
  const { protection, roots } = address;
  if (protection !== 'verify-full' && protection !== 'verify-ca') return await work(undefined);
  if (roots !== undefined && roots !== 'system') return await work(roots);
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-roots-'));
  try {
    const file = path.join(folder, 'roots.crt');
    await writeFile(file, `${trustedCertificates(address).join('\n')}\n`, { mode: 0o600 });
    return await work(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Gives a file of their passwords, as libpq has it: what stands in argv can be read by every user of the machine. */
export async function withPasswordFile<Result>(
  addresses: readonly DatabaseAddress[],
  work: (file: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-passwords-'));
  try {
    const file = path.join(folder, 'pgpass');
    await writeFile(file, addresses.map(passwordLine).join(''), { mode: 0o600 });
    return await work(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function passwordLine({ host, port, database, user, password = '' }: DatabaseAddress): string {
  const fields = [host, String(port), database, user, password];
  return `${fields.map((field) => field.replaceAll(/[\\:]/g, '\\$&')).join(':')}\n`;
}

/** An address as URL for an argument, beside such a file. */
export function withoutPassword(address: DatabaseAddress): string {
  return databaseUrl({ ...address, password: undefined });
}
