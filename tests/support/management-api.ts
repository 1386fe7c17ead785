import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const metadataSchema = z.looseObject({
  entrypoint_path: z.string(),
  import_map_path: z.string(),
  verify_jwt: z.boolean(),
});

/** One function as it was sent. */
export interface Upload {
  metadata: z.output<typeof metadataSchema>;
  /** Text of each file, by its path. */
  files: Map<string, string>;
}

/** As much of Supabase's management API as `supabase functions deploy --use-api` and `supabase link` call. */
export interface ManagementApi {
  url: string;
  /** By the name of the function. */
  uploads: Map<string, Upload>;
  /** Names of the functions that were put in place at last, after all were bundled. */
  deployed: string[];
  /** Access tokens that came with the requests. */
  tokens: Set<string>;
  /** Answers this status to every upload of the named function. */
  refuse: { name: string; status: number } | undefined;
  /** Refs of the projects that it lists. */
  projects: string[];
  /** Where the pooler of every project is. */
  pooler: { host: string; port: number; database: string } | undefined;
  close(): Promise<void>;
}

/** Starts the stand-in; it knows every project and takes every token. */
export async function startManagementApi(): Promise<ManagementApi> {
  const server = createServer((incoming, outgoing) => {
    respond(api, incoming).then(({ status, body }) => {
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  const api: ManagementApi = {
    url: '',
    uploads: new Map(),
    deployed: [],
    tokens: new Set(),
    refuse: undefined,
    projects: [],
    pooler: undefined,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return api;
}

async function respond(
  api: ManagementApi,
  incoming: IncomingMessage,
): Promise<{ status: number; body: unknown }> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const url = new URL(incoming.url ?? '/', api.url);
  api.tokens.add(incoming.headers.authorization?.replace('Bearer ', '') ?? '');

  if (incoming.method === 'POST' && url.pathname.endsWith('/functions/deploy')) {
    const name = url.searchParams.get('slug') ?? '';
    if (api.refuse?.name === name) return { status: api.refuse.status, body: { message: 'no' } };
    api.uploads.set(name, await readUpload(incoming.headers['content-type'] ?? '', bytes));
    return { status: 201, body: described(name) };
  }
  if (incoming.method === 'PUT' && url.pathname.endsWith('/functions')) {
    api.deployed = z
      .array(z.looseObject({ slug: z.string() }))
      .parse(JSON.parse(String(bytes)))
      .map((f) => f.slug);
    return { status: 200, body: { functions: api.deployed.map(described) } };
  }
  if (url.pathname === '/v1/projects') return { status: 200, body: api.projects.map(project) };
  const ref = /^\/v1\/projects\/([a-z]{20})/.exec(url.pathname)?.[1] ?? '';
  if (url.pathname.endsWith('/config/database/pooler') && api.pooler) {
    return { status: 200, body: [pooler(ref, api.pooler)] };
  }
  if (url.pathname === `/v1/projects/${ref}`) return { status: 200, body: project(ref) };
  if (url.pathname.endsWith('/api-keys')) {
    return { status: 200, body: [{ name: 'anon', api_key: 'anon', type: 'legacy', id: 'anon' }] };
  }
  return { status: 200, body: [] };
}

function project(ref: string): object {
  return {
    id: ref,
    ref,
    organization_id: 'organization',
    organization_slug: 'organization',
    name: 'shop',
    region: 'eu-west-1',
    created_at: '2026-01-01T00:00:00Z',
    status: 'ACTIVE_HEALTHY',
    database: {
      host: `db.${ref}.supabase.test`,
      version: '17.6.1.001',
      postgres_engine: '17',
      release_channel: 'ga',
    },
  };
}

function pooler(ref: string, { host, port, database }: NonNullable<ManagementApi['pooler']>): object {
  const address = `postgresql://postgres.${ref}:[YOUR-PASSWORD]@${host}:${port}/${database}?sslmode=verify-ca`;
  return {
    identifier: ref,
    database_type: 'PRIMARY',
    is_using_scram_auth: true,
    db_user: `postgres.${ref}`,
    db_host: host,
    db_port: port,
    db_name: database,
    connection_string: address,
    connectionString: address,
    default_pool_size: 15,
    max_client_conn: 200,
    pool_mode: 'transaction',
  };
}

async function readUpload(contentType: string, bytes: Buffer<ArrayBuffer>): Promise<Upload> {
  const form = await new Response(bytes, { headers: { 'content-type': contentType } }).formData();
  const files = new Map<string, string>();
  for (const part of form.getAll('file')) {
    if (typeof part === 'object') files.set(part.name, await part.text());
  }
  return { metadata: metadataSchema.parse(JSON.parse(String(form.get('metadata')))), files };
}

function described(name: string): object {
  const id = '00000000-0000-4000-8000-000000000001';
  return { id, slug: name, name, status: 'ACTIVE', version: 1, created_at: 1, updated_at: 1 };
}
