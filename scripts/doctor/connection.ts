/** Whether DATABASE_URL leads to who it says, and nobody else can read along: tried with TLS alone, without login. */
import { CallError } from '../call-error.ts';
import { readDatabaseUrl, weakness } from '../connection/address.ts';
import { isLoopback } from '../connection/loopback.ts';
import { openSocket } from '../connection/socket.ts';
import type { Finding } from './diagnose.ts';

export interface SeenConnection {
  /** A database on this machine needs no TLS. */
  database: 'not set' | 'this machine' | 'verified' | 'unverified';
  findings: Finding[];
}

/** Tries it. */
export async function lookAtConnection(databaseUrl: string | undefined): Promise<SeenConnection> {
  if (databaseUrl === undefined) return { database: 'not set', findings: [] };
  const address = readDatabaseUrl(databaseUrl, { name: 'DATABASE_URL' });
  if (isLoopback(address.host)) return { database: 'this machine', findings: [] };
  const unverified = (finding: Omit<Finding, 'object'>): SeenConnection => ({
    database: 'unverified',
    findings: [{ ...finding, object: `${address.host}:${address.port}` }],
  });
  const message = weakness(address);
  if (message !== undefined) {
    const remedy =
      'Take sslmode out of DATABASE_URL. Where the server has a CA of its own, name the file of its certificate in PGSSLROOTCERT.';
    return unverified({ severity: 'warning', code: 'database_unverified', message, remedy });
  }
  try {
    (await openSocket(address)).destroy();
    return { database: 'verified', findings: [] };
  } catch (error) {
    return unverified(reasonOf(error));
  }
}

function reasonOf(error: unknown): Omit<Finding, 'object'> {
  if (error instanceof CallError) {
    const { message, hint: remedy = '' } = error;
    return { severity: 'error', code: 'database_unverified', message, remedy };
  }
  const { code = 'no reason given' } = error as NodeJS.ErrnoException;
  return {
    severity: 'warning',
    code: 'database_unreachable',
    message: `The database of DATABASE_URL cannot be reached (${code}).`,
    remedy:
      'Check host and port of DATABASE_URL. The direct address of a project has IPv6 only; the session pooler has IPv4.',
  };
}
