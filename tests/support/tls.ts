/** Database servers with TLS, good and bad, at names that no program takes for this machine's. */
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { onTestFinished } from 'vitest';
import { serverAccount } from '../../scripts/embedded/account.ts';
import { listenOnLoopback } from '../../scripts/embedded/loopback.ts';
import { Authority, type Certificate } from './certificates.ts';
import { type TestCluster, testCluster } from './cluster.ts';

/**
 * It leads to 127.0.0.1, wherever there is a loopback interface, and is no address: the resolver of the system knows this
 * form, and neither Node nor a certificate takes it for one.
 */
export const REMOTE = '127.1';

/** A PostgreSQL with TLS, whose certificate is for 0.0.0.0 and db.example.test. */
export interface TlsCluster extends TestCluster {
  /** The file of its CA's certificate. */
  roots: string;
}

/** Starts it, in a folder of its own. */
export async function tlsCluster(): Promise<TlsCluster> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-tls-'));
  const authority = new Authority();
  const { cert, key } = authority.issue({ hosts: ['0.0.0.0', 'db.example.test'] });
  const file = (name: string) => path.join(folder, name);
  await writeFile(file('roots.crt'), authority.cert);
  await writeFile(file('server.crt'), cert);
  await writeFile(file('server.key'), key, { mode: 0o600 });
  const account = serverAccount(file('none'));
  if (account)
    for (const name of ['', 'server.crt', 'server.key']) await chown(file(name), account.uid, account.gid);
  const cluster = await testCluster({
    settings: { ssl: 'on', ssl_cert_file: file('server.crt'), ssl_key_file: file('server.key') },
  });
  return {
    ...cluster,
    roots: file('roots.crt'),
    async remove() {
      await cluster.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What a server does to its clients. */
export type Manners =
  /** It says that it has no TLS. */
  | 'no TLS'
  /** It answers as a server of another kind would. */
  | 'HTTP'
  /** It says that it has TLS, and something more in the clear. */
  | 'more than an answer'
  /** It takes the connection and never says a word. */
  | 'silence'
  /** It hangs up at once. */
  | 'hanging up'
  /** It has TLS, with this certificate, and hangs up on clients that have come so far. */
  | Certificate;

/** A server that is none, and what it has heard. */
export interface Pretender {
  port: number;
  /** All that arrived, in the clear or out of TLS, but for requests for TLS. */
  heard: () => string;
}

/** One for the length of a test. */
export async function pretender(manners: Manners): Promise<Pretender> {
  let heard = '';
  const sockets = new Set<Socket>();
  const listen = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      const asksForTls = bytes.length === 8 && bytes.readInt32BE(4) === 80877103;
      if (!asksForTls) heard += bytes.toString('latin1');
      answer(socket, manners, asksForTls);
    });
  };
  const answer = (socket: Socket, how: Manners, asksForTls: boolean) => {
    if (how === 'silence') return;
    if (how === 'HTTP') socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else if (how === 'more than an answer') socket.write('SE');
    else if (how === 'no TLS' && asksForTls) socket.write('N');
    else if (typeof how === 'object' && asksForTls) {
      socket.removeAllListeners('data');
      socket.write('S');
      const secure = new tls.TLSSocket(socket, { isServer: true, ...how });
      secure.on('error', () => {});
      secure.on('data', (bytes: Buffer) => {
        heard += bytes.toString('latin1');
        socket.destroy();
      });
    } else socket.destroy();
  };
  const server = createServer((socket) => {
    if (manners === 'hanging up') socket.destroy();
    else listen(socket);
  });
  const port = await listenOnLoopback(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, heard: () => heard };
}
