import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { App } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';
import postgres from 'postgres';
import type { Cluster } from './cluster.ts';
import { listenOnLoopback } from './loopback.ts';

/** Keys of an embedded Supabase, in the form that hosted projects have them. */
export interface Keys {
  publishableKey: string;
  secretKey: string;
  jwtSecret: string;
}

/** The Data API and Auth on one cluster. */
export interface DataApi {
  answer(request: Request, peerAddress: string | null): Promise<Response>;
  /** Looks at the schema anew, as it does by itself on `notify pgrst`. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** What the Data API allows itself and everybody: hosted Supabase's timeouts of the role authenticator. */
const TIMEOUT_MS = 8000;

/** Connections to the database, more than any sensible number of workers. */
const POOL = 20;

/** Opens the Data API and Auth of @supabase/lite on the cluster's database. */
export async function openDataApi(cluster: Pick<Cluster, 'url'>, keys: Keys, url: string): Promise<DataApi> {
  await createAuthTables(cluster);

  const connection = createPostgresConnection({
    url: cluster.url('postgres'),
    postgresOptions: {
      max: POOL,
      onnotice: () => {},
      // Back at once after PostgreSQL was, and not after the 20 seconds that its own backoff goes up to.
      backoff: () => 0.1,
      connection: { statement_timeout: TIMEOUT_MS, lock_timeout: TIMEOUT_MS },
    },
  });
  Object.assign(connection, {
    // Left to itself it grants all tables of every schema with row security to the API's roles. The roles exist and
    // have the rights that migrations gave them, so answer that requests switch roles and do nothing else.
    ensureRlsContext: async () => true,
    normalizeDbError: asPostgrest,
  });
  const app = new App({
    connection,
    api: { enabled: true, schemas: ['public'], max_rows: 1000, pg_safe_update: true, external_url: url },
    auth: {
      enabled: true,
      site_url: url,
      publishable_key: keys.publishableKey,
      secret_key: keys.secretKey,
      jwt_secret: keys.jwtSecret,
    },
    db: { migrations: { enabled: false } },
    options: { server: { disableStudio: true } },
  });
  await app.init();

  const listener = postgres(cluster.url('postgres'), { max: 1, onnotice: () => {} });
  await listener.listen('pgrst', () => void connection.clearSchemaCache());

  return {
    answer: async (request, peerAddress) => await app.fetch(request, { peerAddress }),
    reload: async () => await connection.clearSchemaCache(),
    close: async () => {
      await Promise.all([listener.end({ timeout: 0 }), connection.driver.end({ timeout: 0 })]);
    },
  };
}

/** Sessions, identities and so on, which only a superuser may create in schema auth. */
async function createAuthTables(cluster: Pick<Cluster, 'url'>): Promise<void> {
  const connection = createPostgresConnection({
    url: cluster.url('supabase_admin'),
    postgresOptions: { max: 1, onnotice: () => {} },
  });
  try {
    const app = new App({ connection, auth: { enabled: true }, db: { migrations: { enabled: false } } });
    await app.ensureSystemSchema();
    await connection.driver.unsafe('grant all on all tables in schema auth to postgres');
  } finally {
    await connection.close();
  }
}

/** What PostgREST answers while it has no database. */
const DATABASE_AWAY = {
  code: 'PGRST001',
  message: 'Database client error. Retrying the connection.',
  details: null,
  hint: null,
};

/** SQLSTATEs, or beginnings of them, and the status that PostgREST gives them; all others are 400. */
const STATUSES: [start: string, status: number][] = [
  ['08', 503],
  ['09', 500],
  ['0L', 403],
  ['0P', 403],
  ['25', 500],
  ['28', 403],
  ['2D', 500],
  ['38', 500],
  ['39', 500],
  ['3B', 500],
  ['40', 500],
  ['54', 500],
  ['57', 500],
  ['58', 500],
  ['F0', 500],
  ['HV', 500],
  ['P0001', 400],
  ['P0', 500],
  ['XX', 500],
];

/** What @supabase/lite passes on by itself: the rest it would turn into `SUP`, without code, detail and hint. */
const PASSED_ON = /^(21|22|42|53|55|PT|PGRST$|23502$|23503$|23505$|25006$)/;

/** What the driver and the system call a connection that went or did not come about. */
const CONNECTION_LOST = /^(CONNECTION_|CONNECT_TIMEOUT$|ECONN|EPIPE$)/;

/** A database error in the form that makes @supabase/lite answer as PostgREST does, with the error's own SQLSTATE. */
function asPostgrest(error: unknown): unknown {
  if (error instanceof postgres.PostgresError) {
    if (PASSED_ON.test(error.code)) return error;
    const { code, message, detail = null, hint = null } = error;
    const status = STATUSES.find(([start]) => code.startsWith(start))?.[1] ?? 400;
    return raised(status, { code, message, details: detail, hint });
  }
  if (error instanceof Error && 'code' in error && CONNECTION_LOST.test(String(error.code))) {
    return raised(503, DATABASE_AWAY);
  }
  return error;
}

/** The documented way to name status and body in full, `raise sqlstate 'PGRST'`. */
function raised(status: number, body: object): unknown {
  return {
    code: 'PGRST',
    message: JSON.stringify(body),
    detail: JSON.stringify({ status, headers: {} }),
  };
}

/** Serves requests on a loopback port, the wanted one if it is free, by a handler that may change or be missing. */
export async function serveHttp(
  wantedPort: number | undefined,
  handler: () => DataApi | undefined,
): Promise<{ server: Server; url: string }> {
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing, handler()).catch((error) => {
      console.error(error);
      if (!outgoing.headersSent) outgoing.writeHead(500);
      outgoing.end();
    });
  });
  await listenOnLoopback(server, wantedPort);
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  api: DataApi | undefined,
): Promise<void> {
  if (!api) {
    outgoing.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1' });
    outgoing.end(
      JSON.stringify({ code: 'PGRST002', message: 'The database is starting', details: null, hint: null }),
    );
    return;
  }
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i] as string, incoming.rawHeaders[i + 1] as string);
  }
  const withBody = incoming.method !== 'GET' && incoming.method !== 'HEAD';
  const request = new Request(
    new URL(incoming.url ?? '/', `http://${incoming.headers.host ?? '127.0.0.1'}`),
    {
      method: incoming.method ?? 'GET',
      headers,
      ...(withBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' as const } : {}),
    },
  );
  const response = await api.answer(request, incoming.socket.remoteAddress ?? null);
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie') outgoing.setHeader(name, value);
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) outgoing.setHeader('set-cookie', cookies);
  outgoing.end(Buffer.from(await response.arrayBuffer()));
}
