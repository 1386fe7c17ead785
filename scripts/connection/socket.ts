/** A connection to a database server that is as safe as its address wants it, before a word about who comes is said. */
import { once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import tls from 'node:tls';
import { CallError } from '../call-error.ts';
import type { DatabaseAddress } from './address.ts';
import { isLoopback, isSocketFolder } from './loopback.ts';
import { trustedCertificates } from './trust.ts';

/** Connects, by TLS where the address wants it. Throws, and sends no name and no password, where that is not to be had. */
export async function openSocket(address: DatabaseAddress): Promise<Socket> {
  const signal = AbortSignal.timeout(address.connectSeconds * 1000);
  const { host, port } = address;
  const socket = isSocketFolder(host)
    ? connect({ path: `${host}/.s.PGSQL.${port}` })
    : connect({ host, port });
  try {
    await once(socket, 'connect', { signal });
    if (address.protection !== 'verify-full') expectThisMachine(socket, address);
    return address.protection === 'disable' ? socket : await secured(socket, address, signal);
  } catch (error) {
    socket.destroy();
    if (!signal.aborted) throw error;
    const late = new Error(`${host} did not answer within ${address.connectSeconds} s`);
    throw Object.assign(late, { code: 'CONNECT_TIMEOUT' });
  }
}

/** Stands before a session that is to be encrypted: its length, and the code that asks for it. */
const request = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

async function secured(socket: Socket, address: DatabaseAddress, signal: AbortSignal): Promise<Socket> {
  const { host, protection } = address;
  socket.write(request);
  const answer = (await firstWords(socket, signal)).toString('latin1');
  if (answer === 'N' && protection === 'prefer') return socket;
  if (answer === 'N') {
    throw problem(
      `The server at ${host} offers no TLS, and without it the password would be readable on the way.`,
      'Turn it on at the server (ssl = on). Only where nobody can listen, an SSH tunnel for example, say sslmode=disable in the URL.',
    );
  }
  // One byte and no more: what comes along in the clear might be somebody else's.
  if (answer !== 'S') {
    throw problem(
      `What answers at ${host}:${address.port} does not speak PostgreSQL's protocol.`,
      'Look at host and port of the database URL.',
    );
  }
  return await encrypted(socket, address, signal);
}

async function encrypted(
  socket: Socket,
  address: DatabaseAddress,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  const { host, protection } = address;
  const verified = protection === 'verify-full' || protection === 'verify-ca';
  const secure = tls.connect({
    socket,
    ...(isIP(host) === 0 && { servername: host }),
    // Said always: left out, NODE_TLS_REJECT_UNAUTHORIZED would decide.
    rejectUnauthorized: verified,
    ...(verified && { ca: trustedCertificates(address) }),
    // Left to itself it checks for localhost where the host is an address.
    checkServerIdentity: (_, certificate) =>
      protection === 'verify-full' ? tls.checkServerIdentity(host, certificate) : undefined,
  });
  try {
    await once(secure, 'secureConnect', { signal });
    return secure;
  } catch (error) {
    secure.destroy();
    throw signal.aborted ? error : explained(error, address);
  }
}

/** The bytes that come first. */
async function firstWords(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  const closed = new AbortController();
  const onClose = () => closed.abort();
  socket.once('close', onClose);
  try {
    const [bytes] = await once(socket, 'data', { signal: AbortSignal.any([signal, closed.signal]) });
    return bytes as Buffer;
  } catch (error) {
    // Word of it may come in the same moment as its end.
    if (!closed.signal.aborted || signal.aborted) throw error;
    return Buffer.alloc(0);
  } finally {
    socket.off('close', onClose);
  }
}

/** A name can lead elsewhere than it says. */
function expectThisMachine({ remoteAddress = '' }: Socket, { host }: DatabaseAddress): void {
  if (!isLoopback(host) || isSocketFolder(host) || isLoopback(remoteAddress)) return;
  throw problem(
    `The name ${host} leads to another machine (${remoteAddress}), which would not have to prove who it is.`,
    'Write 127.0.0.1, or correct the name in /etc/hosts.',
  );
}

const untrusted =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE|CERT_CHAIN_TOO_LONG|INVALID_CA|INVALID_PURPOSE|CERT_REJECTED)/;

function explained(error: unknown, { host, roots }: DatabaseAddress): CallError {
  const { code = 'no reason given' } = error as NodeJS.ErrnoException;
  if (untrusted.test(code)) {
    const by =
      roots === undefined || roots === 'system' ? 'a CA that this machine trusts' : `a CA in ${roots}`;
    return problem(
      `The certificate of ${host} is not signed by ${by} (${code}), so this may be somebody in its place.`,
      "Name the file of its CA's certificate in PGSSLROOTCERT, or as sslrootcert in the URL. Supabase's is known; its newest: dashboard, Database, Settings, SSL Configuration.",
    );
  }
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return problem(
        `The certificate of the server at ${host} is for another host, so this may be somebody in its place.`,
        'Write the host in the URL as the certificate has it; few have addresses in them.',
      );
    case 'CERT_HAS_EXPIRED':
      return problem(
        `The certificate of ${host} has expired.`,
        'Renew it at the server, or set the clock of this machine.',
      );
    case 'CERT_NOT_YET_VALID':
      return problem(`The certificate of ${host} is not valid yet.`, 'Set the clock of this machine.');
    default:
      return problem(
        `TLS with ${host} did not come about (${code}).`,
        'Look at host and port of the database URL, and at the log of the server.',
      );
  }
}

function problem(message: string, hint: string): CallError {
  return new CallError({ code: 'TLS', message, hint: `${hint} No name and no password was sent.` });
}
