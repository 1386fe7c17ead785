/** A network between somebody and the server, that loses what is on its way. */
import { connect, createServer, type Socket } from 'node:net';
import { listenOnLoopback } from '../../scripts/embedded/loopback.ts';

interface Line {
  client: Socket;
  server: Socket;
  /** Something was asked, and nothing has come back yet. */
  asked: boolean;
  /** What comes back next is lost, and the connection with it. */
  loses: boolean;
}

export interface Wire {
  port: number;
  /** Loses the next reply of a connection that waits for one; false where none does. */
  loseReply(choose: (among: number) => number): boolean;
  /** Cuts a connection while its request is on its way or at work; false where none is. */
  cut(choose: (among: number) => number): boolean;
  /** Refuses all who come while the server is down: nobody must knock at a port that is free meanwhile. */
  down: boolean;
  close(): Promise<void>;
}

export async function startWire(target: () => number): Promise<Wire> {
  const lines = new Set<Line>();
  const wire: Wire = {
    port: 0,
    down: false,
    loseReply: (choose) => at(choose, (line) => (line.loses = true)),
    cut: (choose) => at(choose, end),
    async close() {
      for (const line of lines) end(line);
      await new Promise((resolve) => listener.close(resolve));
    },
  };

  function at(choose: (among: number) => number, act: (line: Line) => unknown): boolean {
    const busy = [...lines].filter(({ asked, loses }) => asked && !loses);
    const line = busy[choose(busy.length)];
    if (!line) return false;
    act(line);
    return true;
  }

  function end(line: Line): void {
    lines.delete(line);
    line.client.destroy();
    line.server.destroy();
  }

  const listener = createServer((client) => {
    client.on('error', () => {});
    if (wire.down) {
      client.destroy();
      return;
    }
    const server = connect(target(), '127.0.0.1');
    server.on('error', () => {});
    const line: Line = { client, server, asked: false, loses: false };
    lines.add(line);
    client.on('data', (bytes) => {
      line.asked = true;
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      line.asked = false;
      // What a call answers comes when it is committed.
      if (line.loses) end(line);
      else client.write(bytes);
    });
    client.on('close', () => end(line));
    server.on('close', () => end(line));
  });
  wire.port = await listenOnLoopback(listener);
  return wire;
}
