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

/** As much of Supabase's management API as `supabase functions deploy --use-api` calls. */
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
  return { status: 200, body: [] };
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
