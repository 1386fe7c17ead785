/** Supabase Realtime as a browser sees it, in front of a project that has none: private channels, and what is broadcast on them. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

interface Joined {
  topic: string;
  isPrivate: boolean;
  token: string;
}

export interface Realtime {
  /** Of the project with Realtime. */
  url: string;
  /** Who has joined, in order. */
  joined: Joined[];
  /** Sends this to all who listen to the topic. */
  broadcast(topic: string, event: string, payload: unknown): void;
  /** Ordinary requests wait from here on until the end of what is given. */
  silently<Value>(work: () => Promise<Value>): Promise<Value>;
  /** Hangs up on all, and lets nobody in again. */
  end(): void;
  close(): void;
}

/** What comes before a text in a frame, and the text: shorter than 64 KiB, as all that is sent here is. */
function frameOf(text: string): Buffer {
  const body = Buffer.from(text);
  const head = body.length < 126 ? [0x81, body.length] : [0x81, 126, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from(head), body]);
}

/** The texts of the frames that have arrived whole, and what is left. A browser masks what it sends. */
function textsIn(data: Buffer): { texts: string[]; rest: Buffer } {
  const texts: string[] = [];
  let rest = data;
  while (rest.length >= 8) {
    const isLong = ((rest[1] ?? 0) & 127) === 126;
    const start = isLong ? 4 : 2;
    const length = isLong ? rest.readUInt16BE(2) : (rest[1] ?? 0) & 127;
    if (rest.length < start + 4 + length) break;
    const mask = rest.subarray(start, start + 4);
    const body = rest.subarray(start + 4, start + 4 + length).map((byte, n) => byte ^ (mask[n % 4] ?? 0));
    if (((rest[0] ?? 0) & 15) === 1) texts.push(Buffer.from(body).toString());
    rest = rest.subarray(start + 4 + length);
  }
  return { texts, rest };
}

/** Starts it; all else that is asked for is asked of the project. */
export async function startRealtime(project: string): Promise<Realtime> {
  const joined: Joined[] = [];
  const lines = new Map<Duplex, string>();
  let quiet: Promise<unknown> = Promise.resolve();
  let hasEnded = false;

  const server = createServer(async (incoming, outgoing) => {
    await quiet;
    const { method, headers } = incoming;
    const onward = send(
      new URL(incoming.url ?? '/', project),
      { method, headers: { ...headers, host: new URL(project).host } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.socket?.destroy());
    incoming.pipe(onward);
  });
  server.on('upgrade', ({ url = '', headers }: IncomingMessage, socket: Duplex) => {
    const { pathname, searchParams } = new URL(url, project);
    if (hasEnded || pathname !== '/realtime/v1/websocket' || !searchParams.has('apikey')) {
      return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    }
    const accept = createHash('sha1')
      .update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    let data: Buffer = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => lines.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      const { texts, rest } = textsIn(Buffer.concat([data, chunk]));
      data = rest;
      for (const text of texts) {
        const { topic, event, payload, ref } = JSON.parse(text);
        if (event === 'phx_join') {
          joined.push({ topic, isPrivate: payload.config.private, token: payload.access_token });
          lines.set(socket, topic);
        }
        const answer = { topic, event: 'phx_reply', ref, payload: { status: 'ok', response: {} } };
        socket.write(frameOf(JSON.stringify(answer)));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const end = (): void => {
    hasEnded = true;
    for (const socket of lines.keys()) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    joined,
    broadcast(topic, event, payload) {
      const message = {
        topic,
        event: 'broadcast',
        ref: null,
        payload: { type: 'broadcast', event, payload },
      };
      for (const [socket, heard] of lines) {
        if (heard === topic) socket.write(frameOf(JSON.stringify(message)));
      }
    },
    async silently(work) {
      let speak = (): void => {};
      quiet = new Promise<void>((resolve) => {
        speak = resolve;
      });
      return await work().finally(speak);
    },
    end,
    close() {
      end();
      server.closeAllConnections();
      server.close();
    },
  };
}
