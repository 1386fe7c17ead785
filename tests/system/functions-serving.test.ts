/** How edge functions are served: on the real Deno, with hosted Supabase's environment and answers, and no other rights. */
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { removeCluster } from '../../scripts/embedded/cluster.ts';
import { serveHttp } from '../../scripts/embedded/data-api.ts';
import { functionsOnDemand } from '../../scripts/embedded/functions.ts';
import { listenOnLoopback } from '../../scripts/embedded/loopback.ts';
import { alive } from '../../scripts/embedded/processes.ts';
import { readState } from '../../scripts/embedded/state.ts';
import { ensureEmbedded } from '../../scripts/embedded/supabase.ts';
import { rawRequest } from '../support/nonsense.ts';
import { until } from '../support/until.ts';

/** Functions that show how they are served. They share one process, and so `globalThis`. */
const FUNCTIONS = {
  echo: `
    export default {
      async fetch(request: Request) {
        const { pathname, search } = new URL(request.url);
        const body = await request.text();
        return Response.json(
          { method: request.method, path: pathname + search, key: request.headers.get('apikey'), body, pid: Deno.pid },
          { headers: { 'set-cookie': 'a=1', 'x-of-its-own': 'yes' } },
        );
      },
    };`,
  tries: `
    const tries = async (work: () => unknown) => {
      try {
        await work();
        return 'may';
      } catch (error) {
        return error.name;
      }
    };
    export default {
      async fetch(request: Request) {
        const { port, file } = await request.json();
        return Response.json({
          environment: Deno.env.toObject(),
          home: Deno.env.get('HOME') ?? null,
          reads: await tries(() => Deno.readTextFile(file)),
          writes: await tries(() => Deno.writeTextFile(file, '')),
          runs: await tries(() => new Deno.Command('/bin/sh').output()),
          connects: await tries(() => Deno.connect({ hostname: '127.0.0.1', port })),
        });
      },
    };`,
  stream: `
    export default {
      fetch(request: Request) {
        request.signal.addEventListener('abort', () => { globalThis.hungUp = true; });
        globalThis.hungUp = false;
        const released = new Promise<void>((resolve) => { globalThis.release = resolve; });
        async function* events() {
          yield 'event: progress\\ndata: 1\\n\\n';
          await released;
          yield 'event: done\\ndata: 2\\n\\n';
        }
        const body = ReadableStream.from(events()).pipeThrough(new TextEncoderStream());
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
      },
    };`,
  silent: `
    export default {
      fetch() {
        const released = new Promise<void>((resolve) => { globalThis.release = resolve; });
        return new Response(new ReadableStream({ start: (body) => released.then(() => body.close()) }));
      },
    };`,
  release: 'export default { fetch: () => { globalThis.release(); return new Response(); } };',
  'hung-up': 'export default { fetch: () => Response.json(globalThis.hungUp) };',
  throws: "export default { fetch() { throw new Error('a secret of the function'); } };",
  'no-fetch': 'export default {};',
  broken: 'export default { fetch: ;',
};

const KEYS = {
  publishable: { default: 'sb_publishable_test' },
  secret: { default: 'sb_secret_test', grafana: 'sb_secret_grafana' },
  jwks: { keys: [{ kty: 'EC', kid: 'one' }] },
};

/** Serves the functions above as the embedded Supabase does. */
async function serve() {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-functions-'));
  const write = async (name: string, text: string) => {
    await mkdir(path.join(folder, name), { recursive: true });
    await writeFile(path.join(folder, name, 'index.ts'), text);
  };
  for (const [name, text] of Object.entries(FUNCTIONS)) await write(name, text);
  const { server, url } = await serveHttp(undefined, () => undefined, {
    answer: (request) => functions.answer(request),
  });
  const functions = functionsOnDemand({ apiUrl: url, keys: KEYS, folder });
  const client: SupabaseClient = createClient(url, KEYS.publishable.default, {
    auth: { persistSession: false },
  });
  return {
    url,
    client,
    write,
    pid: async () => (await client.functions.invoke('echo')).data.pid as number,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await functions.close();
      await rm(folder, { recursive: true });
    },
  };
}

describe('a served function', () => {
  let project: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    project = await serve();
  });
  afterAll(async () => await project.close());

  const get = async (name: string) => {
    const response = await fetch(`${project.url}/functions/v1/${name}`);
    return { status: response.status, body: await response.json() };
  };

  test('is invoked by supabase-js, and sees what was sent', async () => {
    const { data, error } = await project.client.functions.invoke('echo/deeper?a=1', { body: { b: 2 } });
    expect(error).toBeNull();
    expect(data).toMatchObject({
      method: 'POST',
      path: '/echo/deeper?a=1',
      key: KEYS.publishable.default,
      body: '{"b":2}',
    });
  });

  test.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    'answers %s by itself, with its own headers',
    async (method) => {
      const response = await fetch(`${project.url}/functions/v1/echo`, { method });
      expect(await response.json()).toMatchObject({ method });
      expect(response.headers.get('x-of-its-own')).toBe('yes');
      expect(response.headers.getSetCookie()).toEqual(['a=1']);
    },
  );

  test('is not reached by methods that no request of the web platform has: 405, and no other answer stands in', async () => {
    for (const where of ['functions/v1/echo', 'functions/v1/nothing', 'rest/v1/users']) {
      for (const method of ['TRACE', 'CONNECT']) {
        const { status, text } = await rawRequest(`${project.url}/${where}`, method);
        expect([status, text.includes('METHOD_NOT_ALLOWED')], text).toEqual([405, true]);
      }
    }
    for (const method of ['get', 'TRACK'])
      expect((await rawRequest(`${project.url}/functions/v1/echo`, method)).status).toBeLessThan(500);
  });

  test('gets large bodies, with or without a length', async () => {
    const body = 'x'.repeat(3_000_000);
    for (const sent of [body, new Blob([body]).stream()]) {
      const response = await fetch(`${project.url}/functions/v1/echo`, {
        method: 'POST',
        body: sent,
        duplex: 'half',
      } as RequestInit);
      expect(await response.json()).toMatchObject({ body });
    }
  });

  test('has the environment of hosted Supabase and nothing of ours, and may reach the Data API only', async () => {
    // The port that it tries belongs to somebody.
    const other = createServer();
    const port = await listenOnLoopback(other);
    onTestFinished(() => void other.close());
    const { data } = await project.client.functions.invoke('tries', { body: { port, file: '/etc/hosts' } });
    const { environment, ...rest } = data;
    const { SUPABASE_PUBLISHABLE_KEYS, SUPABASE_SECRET_KEYS, SUPABASE_JWKS, ...others } = environment;
    expect(JSON.parse(SUPABASE_PUBLISHABLE_KEYS)).toEqual(KEYS.publishable);
    expect(JSON.parse(SUPABASE_SECRET_KEYS)).toEqual(KEYS.secret);
    expect(JSON.parse(SUPABASE_JWKS)).toEqual(KEYS.jwks);
    expect(others).toEqual({ SUPABASE_URL: project.url });
    expect(rest).toEqual({
      home: null,
      reads: 'NotCapable',
      writes: 'NotCapable',
      runs: 'NotCapable',
      connects: 'NotCapable',
    });
    const own = { port: Number(new URL(project.url).port), file: '/etc/hosts' };
    expect((await project.client.functions.invoke('tries', { body: own })).data.connects).toBe('may');
  });

  test('streams: the first event is there before the last is made', async () => {
    const response = await fetch(`${project.url}/functions/v1/stream`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe('event: progress\ndata: 1\n\n');
    await project.client.functions.invoke('release');
    expect((await reader?.read())?.value).toBe('event: done\ndata: 2\n\n');
    expect(await reader?.read()).toMatchObject({ done: true });
    expect((await get('hung-up')).body).toBe(false);
  });

  test('that has begun to answer shows it, before there is anything to send', async () => {
    const response = await fetch(`${project.url}/functions/v1/silent`);
    expect(response.status).toBe(200);
    await project.client.functions.invoke('release');
    expect(await response.text()).toBe('');
  });

  test('hears of a caller who hangs up', async () => {
    const hangUp = new AbortController();
    const response = await fetch(`${project.url}/functions/v1/stream`, { signal: hangUp.signal });
    await response.body?.getReader().read();
    hangUp.abort();
    await until('the function has heard of it', async () => (await get('hung-up')).body === true);
  });

  test('that does not exist, does not start or throws is answered for as on hosted Supabase', async () => {
    const notFound = {
      status: 404,
      body: { code: 'NOT_FOUND', message: 'Requested function was not found' },
    };
    for (const name of ['nothing', '_shared', '..%2fecho', 'echo%2f..%2fthrows', '']) {
      expect(await get(name), name).toEqual(notFound);
    }
    for (const name of ['broken', 'no-fetch']) {
      expect(await get(name)).toMatchObject({ status: 503, body: { code: 'BOOT_ERROR' } });
    }
    const thrown = await get('throws');
    expect(thrown).toMatchObject({ status: 500, body: { code: 'WORKER_ERROR' } });
    expect(JSON.stringify(thrown)).not.toContain('secret');
  });

  test('that was missing is found as soon as it is there', async () => {
    expect((await get('late')).status).toBe(404);
    await project.write('late', 'export default { fetch: () => Response.json(1) };');
    expect(await get('late')).toEqual({ status: 200, body: 1 });
  });
});

describe('Deno', () => {
  test('starts with the first request, once, however many come', async () => {
    const project = await serve();
    onTestFinished(project.close);
    const pids = await Promise.all(Array.from({ length: 10 }, () => project.pid()));
    expect(new Set(pids).size).toBe(1);
    expect(alive(pids[0] as number)).toBe(true);
  });

  test('killed: the next request is answered by another, and no answer looks complete that is not', async () => {
    const project = await serve();
    onTestFinished(project.close);
    const pid = await project.pid();
    const response = await fetch(`${project.url}/functions/v1/stream`);
    const reader = response.body?.getReader();
    await reader?.read();
    process.kill(pid, 'SIGKILL');
    await expect(reader?.read()).rejects.toThrow();
    const next = await Promise.all(Array.from({ length: 5 }, () => project.pid()));
    expect(new Set(next).size).toBe(1);
    expect(next[0]).not.toBe(pid);
  });

  test('ends when it is asked to', async () => {
    const project = await serve();
    const pid = await project.pid();
    await project.close();
    expect(alive(pid)).toBe(false);
  });
});

describe('the embedded Supabase', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'imago-embedded-'));
  });
  afterAll(async () => {
    await removeCluster(path.join(folder, 'postgres'));
    await rm(folder, { recursive: true, force: true });
  });

  const clientOf = (url: string, key: string): SupabaseClient =>
    createClient(url, key, { auth: { persistSession: false } });

  test('serves the functions of the project, to a secret key and to people by their role', async () => {
    const embedded = await ensureEmbedded({ folder, sample: 20 });
    onTestFinished(() => embedded.release());
    const secret = clientOf(embedded.url, embedded.secretKey);
    expect(await secret.functions.invoke('progress', { method: 'GET' })).toMatchObject({
      error: null,
      data: { total_users: 20 },
    });

    const credentials = { email: 'somebody@example.test', password: 'correct horse battery staple' };
    const person = clientOf(embedded.url, embedded.publishableKey);
    const progress = async () => {
      const { data, response } = await person.functions.invoke('progress', { method: 'GET' });
      return { status: response?.status, total: data?.total_users };
    };
    expect(await progress()).toMatchObject({ status: 401 });
    expect((await person.auth.signUp(credentials)).error).toBeNull();
    expect(await progress()).toMatchObject({ status: 403 });

    const sql = postgres(embedded.databaseUrl, { max: 1, onnotice: () => {} });
    await sql`
      update auth.users set raw_app_meta_data = raw_app_meta_data || '{"imago_role": "viewer"}'
      where email = ${credentials.email}`;
    await sql.end();
    // The role is in the next token.
    expect(await progress()).toMatchObject({ status: 403 });
    expect((await person.auth.refreshSession()).error).toBeNull();
    expect(await progress()).toEqual({ status: 200, total: 20 });

    // The token is one of the project's key, by which anybody can verify it, and the Data API and Auth take it.
    expect(await person.auth.getClaims()).toMatchObject({
      error: null,
      data: {
        header: { alg: 'ES256' },
        claims: { aud: 'authenticated', app_metadata: { imago_role: 'viewer' } },
      },
    });
    expect((await person.auth.getUser()).data.user?.email).toBe(credentials.email);
    expect((await person.from('users').select('id')).error).toBeNull();
    expect((await person.rpc('get_migration_statistics')).error).toMatchObject({ code: '42501' });

    const { data } = await person.auth.getSession();
    const [header, payload, signature = ''] = data.session?.access_token.split('.') ?? [];
    const forged = [header, payload, signature.split('').reverse().join('')].join('.');
    const answer = await fetch(`${embedded.url}/rest/v1/users`, {
      headers: { apikey: embedded.publishableKey, authorization: `Bearer ${forged}` },
    });
    expect(answer.status).toBe(401);
  });

  test.runIf(process.platform === 'linux').each(['let go of', 'killed'] as const)(
    '%s: no Deno is left',
    async (end) => {
      const embedded = await ensureEmbedded({ folder });
      const server = readState(folder)?.pid as number;
      const children = () =>
        readFileSync(`/proc/${server}/task/${server}/children`, 'utf8').trim().split(' ').map(Number);
      const before = children();
      await clientOf(embedded.url, embedded.secretKey).functions.invoke('progress', { method: 'GET' });
      const deno = children().filter((pid) => !before.includes(pid));
      expect(deno.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())).toEqual(['deno']);

      if (end === 'killed') process.kill(server, 'SIGKILL');
      await embedded.release();
      if (end === 'killed') await until('Deno is gone', async () => !alive(deno[0] as number));
      expect(alive(deno[0] as number)).toBe(false);
    },
  );
});
