/** The Data API and Auth of the embedded Supabase, served beside the edge functions. */
import type { Server } from 'node:http';
import { App, type Connection } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';
import postgres from 'postgres';
import type { Cluster } from './cluster.ts';
import { type Keys, openCredentials } from './credentials.ts';
import type { Functions } from './functions.ts';
import { CONNECTION_LOST, reserveLiveOnly } from './reserving.ts';
import { serveLoopback } from './serving.ts';

/** The Data API and Auth on one cluster. */
export interface DataApi {
  answer(request: Request, peerAddress: string | null): Promise<Response>;
  /** Reads the schema again, as it does by itself on `notify pgrst`, and is done when it knows it. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** What the Data API allows itself and everybody: hosted Supabase's timeouts of the role authenticator. */
const TIMEOUT_MS = 8000;

/** How long what is known of the schema is gone by, where it could not be read again. */
const AGAIN_MS = 1000;

/** Connections to the database, more than any sensible number of workers. */
const POOL = 20;

/** Opens the Data API and Auth of @supabase/lite on the cluster's database. */
export async function openDataApi(cluster: Pick<Cluster, 'url'>, keys: Keys, url: string): Promise<DataApi> {
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
  reserveLiveOnly(connection.driver);
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

  const credentials = await openCredentials(keys, url);
  const listener = postgres(cluster.url('postgres'), { max: 1, onnotice: () => {} });
  const schema = schemaReader(connection);
  await listener.listen('pgrst', schema.read);

  return {
    async answer(request, peerAddress) {
      const response = await app.fetch(await credentials.inward(request), { peerAddress });
      return readableByBrowsers(request, await credentials.outward(request, response));
    },
    reload: schema.reload,
    close: async () => {
      await schema.done();
      // A session that is just reading the types, cut off, would fail where nobody can catch it.
      await Promise.all([listener.end({ timeout: 1 }), connection.driver.end({ timeout: 1 })]);
    },
  };
}

/**
 * What a browser has to be told before it shows an app the answer. Auth of @supabase/lite leaves out which headers a request may
 * have, and says of no error who may read it: an app on another port could not sign in, as it can on hosted Supabase.
 */
function readableByBrowsers(request: Request, response: Response): Response {
  if (!request.headers.has('origin')) return response;
  const headers = new Headers(response.headers);
  const wanted = request.method === 'OPTIONS' && request.headers.get('access-control-request-headers');
  if (!headers.has('access-control-allow-origin')) headers.set('access-control-allow-origin', '*');
  if (wanted && !headers.has('access-control-allow-headers'))
    headers.set('access-control-allow-headers', wanted);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/**
 * Reads the schema again beside the requests, which go on with what is known until then: as PostgREST does it, and a plan that
 * is prepared changes the schema with each of its steps.
 */
function schemaReader(connection: Pick<Connection, 'introspect'>) {
  let reading: Promise<void> | undefined;
  let isStale = false;
  let again: NodeJS.Timeout | undefined;
  const readAll = async (): Promise<void> => {
    while (isStale) {
      isStale = false;
      clearTimeout(again);
      const { tables } = await connection.introspect();
      // Auth's are there at least, so it could not be read, as when somebody has locked a table. It has said why.
      if (tables.length === 0) again = setTimeout(read, AGAIN_MS).unref();
    }
    reading = undefined;
  };
  const read = (): void => {
    isStale = true;
    reading ??= readAll();
  };
  const done = async (): Promise<void> => {
    await reading;
    clearTimeout(again);
  };
  const reload = async (): Promise<void> => {
    read();
    await reading;
  };
  return { read, done, reload };
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

/** Serves requests on a loopback port, the wanted one if it is free. The Data API may change, or be missing. */
export async function serveHttp(
  wantedPort: number | undefined,
  api: () => Pick<DataApi, 'answer'> | undefined,
  functions?: Pick<Functions, 'answer'>,
): Promise<{ server: Server; url: string }> {
  const answer = async (request: Request, peerAddress: string | null): Promise<Response> => {
    const isFunction = new URL(request.url).pathname.startsWith('/functions/v1/');
    const response =
      functions && isFunction ? await functions.answer(request) : await api()?.answer(request, peerAddress);
    return response ?? starting();
  };
  return await serveLoopback(wantedPort, answer);
}

function starting(): Response {
  const problem = { code: 'PGRST002', message: 'The database is starting', details: null, hint: null };
  return Response.json(problem, { status: 503, headers: { 'retry-after': '1' } });
}
