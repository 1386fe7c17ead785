/** A server of the loopback interface that answers requests of the web platform; srvx makes them from Node's. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { NodeRequest, sendNodeResponse } from 'srvx/node';
import { listenOnLoopback } from './loopback.ts';

/** Serves requests on a loopback port, the wanted one if it is free. */
export async function serveLoopback(
  wantedPort: number | undefined,
  answer: (request: Request, peerAddress: string | null) => Promise<Response>,
): Promise<{ server: Server; url: string }> {
  const server = createServer(async (incoming, outgoing) => {
    try {
      if (incoming.method === 'TRACE') return void refuseMethod(outgoing);
      const request = requestOf(incoming, outgoing);
      await send(await answer(request, incoming.socket.remoteAddress ?? null), outgoing);
    } catch (error) {
      // Callers that have hung up are no news.
      if (outgoing.destroyed) return;
      console.error(error);
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500).end();
    }
  });
  // Callers that have hung up are no news.
  server.on('connect', (_, socket: Duplex) => socket.on('error', () => {}).end(refusal()));
  await listenOnLoopback(server, wantedPort);
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const refused = JSON.stringify({ code: 'METHOD_NOT_ALLOWED', message: 'Nothing here answers this method' });
const refusedHeaders = {
  'content-type': 'application/json',
  allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
};

/** The one method that a server of Node passes on and no request of the web platform has. */
function refuseMethod(outgoing: ServerResponse): void {
  outgoing.writeHead(405, refusedHeaders).end(refused);
}

/** The same as text: for CONNECT, Node gives the connection and leaves the answer to us. */
function refusal(): string {
  const headers = { ...refusedHeaders, 'content-length': Buffer.byteLength(refused), connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 405 Method Not Allowed\r\n${lines.join('')}\r\n${refused}`;
}

/** The request, aborted when its caller hangs up; the platform's own, for others make requests of their own from it. */
function requestOf(incoming: IncomingMessage, outgoing: ServerResponse): Request {
  const request = new NodeRequest({ req: incoming, res: outgoing });
  return request._request ?? request;
}

/** An answer that ends early is cut off, so that it does not look complete. */
async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  const sent = sendNodeResponse(outgoing, response);
  // Headers go ahead: a client that waits for a stream sees that it has begun.
  if (!outgoing.writableEnded) outgoing.flushHeaders();
  await sent;
}
