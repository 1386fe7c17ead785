import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.ts';

const SLOW_MS = 60;

/** What happens to one request on its way. */
export type Fault =
  | 'none'
  /** It takes a while longer. */
  | 'slow'
  /** It never arrives: the connection is cut before anything is passed on. */
  | 'cut'
  /** It arrives and is done; the answer is lost with the connection. */
  | 'lose-reply'
  /** The same, but only if the answer is that all is done. */
  | 'lose-done'
  /** The answer breaks off half-way. */
  | 'break-off'
  /** It arrives and is done; no answer ever comes. */
  | 'hang'
  /** A gateway in front of the server has no server, without asking it. */
  | 503
  /** Too many requests. */
  | 429;

export interface Proxy {
  url: string;
  /** Names of the functions that were called, in order, with what happened to them. */
  log: { name: string; fault: Fault }[];
  /** Replies lost so far. */
  lost: number;
  /** Decides on each call of a function, by its name and how many calls of it there were before. */
  decide: (name: string, before: number) => Fault;
  /** Resolves when the function has been called so many times in all. */
  passed(name: string, times: number): Promise<void>;
  close(): Promise<void>;
}

/** A network between the command and the Data API that does to single calls what networks do. */
export async function startProxy(target: string, decide: Proxy['decide'] = () => 'none'): Promise<Proxy> {
  const proxy: Proxy = {
    url: '',
    log: [],
    lost: 0,
    decide,
    async passed(name, times) {
      await until(
        `${name} has been called ${times} times`,
        async () => proxy.log.filter((entry) => entry.name === name).length >= times,
      );
    },
    close: async () => {},
  };
  const server = createServer((incoming, outgoing) => {
    const name = new URL(incoming.url ?? '/', target).pathname.split('/').at(-1) ?? '';
    const fault = proxy.decide(name, proxy.log.filter((entry) => entry.name === name).length);
    proxy.log.push({ name, fault });
    pass(proxy, target, fault, incoming, outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  proxy.close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return proxy;
}

function pass(
  proxy: Proxy,
  target: string,
  fault: Fault,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  if (fault === 'cut') {
    incoming.socket.destroy();
    return;
  }
  if (fault === 503 || fault === 429) {
    incoming.resume();
    outgoing.writeHead(fault, { 'content-type': 'text/html' }).end('<h1>Try later</h1>');
    return;
  }
  const { method, headers } = incoming;
  const onward = send(
    new URL(incoming.url ?? '/', target),
    { method, headers: { ...headers, host: new URL(target).host } },
    (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        // By now the server has committed.
        if (fault === 'hang') return;
        const body = Buffer.concat(chunks);
        if (fault === 'lose-reply' || (fault === 'lose-done' && /"status": ?"done"/.test(String(body)))) {
          proxy.lost += 1;
          outgoing.socket?.destroy();
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'content-length': body.length });
        if (fault === 'break-off') {
          outgoing.write(body.subarray(0, body.length / 2), () => outgoing.socket?.destroy());
        } else {
          setTimeout(() => outgoing.end(body), fault === 'slow' ? SLOW_MS : 0);
        }
      });
    },
  );
  onward.on('error', () => outgoing.socket?.destroy());
  incoming.pipe(onward);
}
