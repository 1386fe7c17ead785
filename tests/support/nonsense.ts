/** Servers that answer something else than a project does. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { text as readAll } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { listenOnLoopback } from '../../scripts/embedded/loopback.ts';
import type { Certificate } from './certificates.ts';

type Answering = (outgoing: ServerResponse, incoming: IncomingMessage) => void;

/** A server for the length of a test, and the paths and keys that it was asked with. */
export interface OddServer {
  url: string;
  asked: { path: string; key: string | undefined }[];
}

/** One that answers everything in the same way; with a certificate it has TLS. */
export async function oddServer(answering: Answering, certificate?: Certificate): Promise<OddServer> {
  const asked: OddServer['asked'] = [];
  const answer = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    asked.push({ path: incoming.url ?? '', key: incoming.headers.apikey as string | undefined });
    incoming.resume();
    answering(outgoing, incoming);
  };
  const server = certificate ? createTlsServer(certificate, answer) : createServer(answer);
  const port = await listenOnLoopback(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`, asked };
}

/** One answer, whatever was asked. */
export function answer(text: string, type = 'application/json', status = 200): Answering {
  return (outgoing) => void outgoing.writeHead(status, { 'content-type': type }).end(text);
}

/** JSON that begins and does not end. */
export const endless: Answering = (outgoing) => {
  outgoing.writeHead(200, { 'content-type': 'application/json' });
  outgoing.write('"');
  const more = (): void => {
    while (!outgoing.destroyed && outgoing.write('x'.repeat(64 * 1024)));
    if (!outgoing.destroyed) outgoing.once('drain', more);
  };
  more();
};

/** A request as it is written, with a method that no client would send; gives the status of the answer, and all of it. */
export async function rawRequest(url: string, method: string): Promise<{ status: number; text: string }> {
  const { hostname, port, host, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `${method} ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
  const text = await readAll(socket);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), text };
}
