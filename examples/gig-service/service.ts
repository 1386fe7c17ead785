/** A small service: freelancers over HTTP. It expects its tables, and neither makes nor drops any. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import postgres from 'postgres';
import { z } from 'zod';

const freelancerSchema = z.strictObject({
  name: z.string().min(1),
  languages: z.array(z.string()).default([]),
  certifications: z.array(z.string()).default([]),
});

export interface Service {
  url: string;
  stop(): Promise<void>;
}

/** Starts it, having made sure that the schema is there. */
export async function startService(databaseUrl: string, port = 0): Promise<Service> {
  const sql = postgres(databaseUrl, { max: 5, onnotice: () => {} });
  const [ready] = await sql`
    select from pg_attribute
    where attrelid = to_regclass('public.freelancers') and attname = 'certifications' and not attisdropped`;
  if (!ready) {
    await sql.end();
    throw new Error('The database is not at the version that this service needs: npx --no imago db upgrade');
  }

  const answer = async (request: IncomingMessage): Promise<{ status: number; body: unknown }> => {
    if (request.url !== '/freelancers') return { status: 404, body: { error: 'not found' } };
    if (request.method === 'GET') {
      return {
        status: 200,
        body: await sql`select id, name, languages, certifications from freelancers order by id`,
      };
    }
    if (request.method !== 'POST') return { status: 405, body: { error: 'method not allowed' } };
    const given = freelancerSchema.safeParse(JSON.parse(await text(request)));
    if (!given.success) return { status: 400, body: { error: z.prettifyError(given.error) } };
    const { name, languages, certifications } = given.data;
    const [row] = await sql`
      insert into freelancers (name, languages, certifications) values (${name}, ${languages}, ${certifications}) returning id`;
    return { status: 201, body: row };
  };

  const server = createServer((request, response) => {
    answer(request)
      .catch(() => ({ status: 500, body: { error: 'internal error' } }))
      .then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
  });
  await listen(server, port);
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await sql.end();
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
}

if (import.meta.main) {
  const { DATABASE_URL = '', PORT = '3000' } = process.env;
  console.log(`Listening on ${(await startService(DATABASE_URL, Number(PORT))).url}`);
}
