/** The Data API of one database, as a process of its own: `node bench/api.ts <database url> <secret key>`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { App } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';

const [databaseUrl, secretKey] = process.argv.slice(2);
if (!databaseUrl || !secretKey) throw new Error('usage: node bench/api.ts <database url> <secret key>');

const app = new App({
  connection: createPostgresConnection({
    url: databaseUrl,
    // What hosted Supabase gives the service role.
    postgresOptions: { max: 10, connection: { statement_timeout: 8000 } },
  }),
  auth: { publishable_key: 'sb_publishable_bench', secret_key: secretKey },
});

const server = createServer(async (incoming, outgoing) => {
  const headers = new Headers(incoming.headers as Record<string, string>);
  const request = new Request(`http://127.0.0.1${incoming.url}`, {
    method: incoming.method ?? 'GET',
    headers,
    ...(incoming.method === 'POST' && { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' }),
  } as RequestInit);
  const response = await app.fetch(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
