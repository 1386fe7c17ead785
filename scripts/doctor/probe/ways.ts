/** The ways to the project from outside: TLS to the database, the Data API, the edge functions. */
import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { fetchJson } from '../../../functions/_shared/fetching.ts';
import { connect, request } from '../../client.ts';
import { keyKind } from '../../command/keys.ts';
import { type DatabaseAddress, readDatabaseUrl } from '../../connection/address.ts';
import { isLoopback } from '../../connection/loopback.ts';
import { openSocket } from '../../connection/socket.ts';
import { isSupabaseHost, supabaseCertificates } from '../../connection/trust.ts';
import { codeOf, Failed, plain, Skipped } from './part.ts';

/** How the database connection is protected, and by whose certificate. */
export async function tryConnection(databaseUrl: string): Promise<string> {
  const address = readDatabaseUrl(databaseUrl, { name: 'DATABASE_URL' });
  if (isLoopback(address.host)) return 'this machine';
  const socket = await openSocket(address);
  try {
    if (!(socket instanceof tls.TLSSocket)) throw new Failed(`${wayOf(address)}, in the clear`);
    const text = `${wayOf(address)}, sslmode ${address.protection}, ${plain(socket.getProtocol())}, ${rootOf(socket, address)}`;
    if (address.protection !== 'verify-full') throw new Failed(text);
    return text;
  } finally {
    socket.destroy();
  }
}

/** What kind of way it is; where it leads stays private. */
function wayOf({ host, port }: DatabaseAddress): string {
  if (!isSupabaseHost(host)) return 'a host that is not Supabase’s';
  if (!host.includes('pooler')) return port === 6543 ? 'pooler of the project' : 'direct';
  return port === 6543 ? 'transaction pooler' : 'session pooler';
}

function rootOf(socket: tls.TLSSocket, { roots }: DatabaseAddress): string {
  if (!socket.authorized) return 'certificate not verified';
  if (roots !== undefined && roots !== 'system') return 'verified by the CA of a file';
  const ours = supabaseCertificates().map((text) => new X509Certificate(text).fingerprint256);
  let last = socket.getPeerCertificate(true);
  while (last.issuerCertificate && last.issuerCertificate.fingerprint256 !== last.fingerprint256) {
    last = last.issuerCertificate;
  }
  return ours.includes(last.fingerprint256) ? 'verified by the CA of Supabase' : 'verified by a public CA';
}

export interface Api {
  url: string;
  secretKey: string;
  publishableKey: string | undefined;
}

const longestMs = 20_000;

async function status(url: string, init: RequestInit = {}): Promise<number> {
  const { status } = await fetchJson(url, { ...init, signal: AbortSignal.timeout(longestMs) });
  return status;
}

/** The Data API answers the key, and nobody else. */
export async function tryApi({ url, secretKey, publishableKey }: Api): Promise<string> {
  const said = [new URL(url).protocol === 'https:' ? 'https' : 'http'];
  await request(connect(url, secretKey), 'get_engine_version', undefined as never);
  said.push(`answers the key (${keyKind(secretKey)})`);
  const ask = (headers: Record<string, string>) =>
    status(`${url}/rest/v1/rpc/get_engine_version`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{}',
    });
  const without = await ask({});
  if (without < 400) throw new Failed(`it answers without a key (HTTP ${without})`);
  said.push(`HTTP ${without} without a key`);
  if (publishableKey !== undefined) {
    const open = await ask({ apikey: publishableKey });
    if (open < 400) throw new Failed(`it answers the publishable key (HTTP ${open})`);
    said.push(`HTTP ${open} with the publishable key`);
  }
  return said.join('; ');
}

const functions = ['migrate', 'rollback', 'progress', 'validate'] as const;

/**
 * Which edge functions are deployed, and that progress answers nobody without a key. They are asked by GET: a function of
 * somebody else's that has the name does nothing for that.
 */
export async function tryFunctions({ url, secretKey }: Api, plan: string): Promise<string> {
  const seen = await Promise.all(
    functions.map(async (name) => {
      try {
        return { name, met: await status(`${url}/functions/v1/${name}`) };
      } catch (error) {
        return { name, met: codeOf(error) };
      }
    }),
  );
  if (seen.every(({ met }) => met === 404)) throw new Skipped('none is deployed');
  const said = seen.map(({ name, met }) => `${name} ${met === 404 ? 'not deployed' : met}`);
  const unexpected = seen.filter(({ name, met }) => met !== 404 && met !== (name === 'progress' ? 401 : 405));
  if (seen.some(({ name, met }) => name === 'progress' && met === 401)) {
    const { met, fine } = await askWithKey(`${url}/functions/v1/progress?plan=${plan}`, secretKey);
    said.push(`progress with the key ${met}`);
    if (!fine) throw new Failed(said.join(', '));
  }
  if (unexpected.length > 0) throw new Failed(said.join(', '));
  return said.join(', ');
}

/** A key of the old kind is none for functions. */
async function askWithKey(url: string, secretKey: string): Promise<{ met: number; fine: boolean }> {
  const met = await status(url, { headers: { apikey: secretKey } });
  return { met, fine: met === 200 || (met === 401 && !secretKey.startsWith('sb_secret_')) };
}
