import { type AddressInfo, createServer, type Server } from 'node:net';

/** Lets a server listen on a port of the loopback interface, the wanted one if it is free; returns the port. */
export async function listenOnLoopback(server: Server, wanted = 0): Promise<number> {
  try {
    await listen(server, wanted);
  } catch (error) {
    if (wanted === 0) throw error;
    await listen(server, 0);
  }
  return (server.address() as AddressInfo).port;
}

/** A port of the loopback interface that is free now, the wanted one if it is. */
export async function freePort(wanted?: number): Promise<number> {
  const server = createServer();
  const port = await listenOnLoopback(server, wanted);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
