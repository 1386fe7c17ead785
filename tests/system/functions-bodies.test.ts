/** What is sent to the edge functions and must not get through, and what they answer then: never more than they should. */
import { createClient } from '@supabase/supabase-js';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type BadBody, badBodies, MARK } from '../support/bodies.ts';
import { value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import {
  type Caller,
  type FunctionsProject,
  passOn,
  type Reply,
  type Sent,
  startFunctions,
} from '../support/functions.ts';
import { answer, oddServer, rawRequest } from '../support/nonsense.ts';

const FUNCTIONS = { migrate: 'POST', rollback: 'POST', validate: 'POST', progress: 'GET' } as const;
const KEY: Caller = 'secret key default';
const LIMIT = 16 * 1024;

let db: TestDatabase;
let project: FunctionsProject;

beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 20, avatars: 'migrated' });
  project = await startFunctions(db);
});

afterAll(async () => {
  await project?.close();
  await db?.drop();
});

afterEach(() => {
  project.during = passOn;
});

/** An error in the one form that there is, and nothing in it that belongs inside. */
function expectProblem(reply: Reply, status: number, code: string): void {
  expect([reply.status, reply.json?.code, reply.text]).toEqual([status, code, expect.any(String)]);
  expect(reply.json).toEqual({
    code,
    message: expect.stringMatching(/\S/),
    hint: expect.stringMatching(/\S/),
  });
  expect(reply.headers.get('access-control-allow-origin')).toBe('*');
  expect(reply.text).not.toMatch(
    /node_modules|file:|\.ts\b|\bat \w+ \(|select |insert |update |zod|postgres/i,
  );
}

describe('bad bodies and queries', () => {
  test('of 500, none reaches SQL, none is a 500, none is repeated in the answer', async () => {
    const bodies = badBodies(500, 20260721);
    const before = await value(db.sql, 'select count(*)::int from imago.log');
    project.asked.length = 0;
    const answered: Record<string, number> = {};
    for (let i = 0; i < bodies.length; i += 25) {
      await Promise.all(
        bodies.slice(i, i + 25).map(async (bad: BadBody) => {
          const { name, text, code } = bad;
          const reply = await project.call(KEY, name, {
            body: text,
            headers: { 'content-type': 'application/json' },
          });
          expect([bad, reply.status, reply.json?.code]).toEqual([bad, 400, code]);
          expectProblem(reply, 400, code);
          expect([bad, reply.text.includes(MARK)]).toEqual([bad, false]);
          answered[`${name} ${code}`] = (answered[`${name} ${code}`] ?? 0) + 1;
        }),
      );
    }
    expect(project.asked).toEqual([]);
    expect(await value(db.sql, 'select count(*)::int from imago.log')).toBe(before);
    // The generator is worth something only while it still makes all kinds.
    for (const name of ['migrate', 'rollback', 'validate']) {
      expect(answered[`${name} bad_json`]).toBeGreaterThan(20);
      expect(answered[`${name} bad_body`]).toBeGreaterThan(60);
    }
  });

  test.each([
    ['migrate', { nothing: 1 }, ['nothing']],
    ['migrate', { one: 1, two: 2, plan: 'avatars' }, ['one', 'two']],
    ['rollback', { all: true, user: 'x' }, ['user']],
    ['validate', { detail: true }, ['detail']],
    ['migrate', JSON.parse('{"__proto__": {"plan": "x"}}'), ['__proto__']],
    ['migrate', { action: 'pause', max_seconds: 3, backup: true }, ['max_seconds', 'backup']],
    ['migrate', { batch_size: 0, max_seconds: 141 }, ['batch_size', 'max_seconds']],
  ])('%s %j: refused, and the fields are named', async (name, json, fields) => {
    const reply = await project.call(KEY, name, { json });
    expectProblem(reply, 400, 'bad_body');
    for (const field of fields) expect(reply.json.message).toContain(field);
  });

  test.each([
    ['migrate', '{"dry_run": true, "dry_run": false}', 'dry_run'],
    ['migrate', '{"dry_run": true, "dry\\u005frun": false}', 'dry_run'],
    ['migrate', '{"dryRun": true}', 'dryRun'],
    ['migrate', '{"Dry_Run": true}', 'Dry_Run'],
    ['migrate', '{"dry_run": null}', 'dry_run'],
    ['migrate', '{"max_failures": null}', 'max_failures'],
    ['rollback', '{"all": true, "confirm": "avatars", "force": null}', 'force'],
    ['validate', '{"fix_issues": true, "dry_run": null}', 'dry_run'],
  ])('%s %s: refused, as a part of it would be lost', async (name, text, field) => {
    project.asked.length = 0;
    const headers = { 'content-type': 'application/json' };
    const reply = await project.call(KEY, name, { body: text, headers });
    expectProblem(reply, 400, 'bad_body');
    expect(reply.json.message).toContain(field);
    expect(project.asked).toEqual([]);
  });

  test.each([
    ['migrate', {}, '?dry_run=true'],
    ['migrate', { action: 'resume' }, '?dry_run'],
    ['rollback', { all: true, confirm: 'avatars' }, '?dry_run=1'],
    ['validate', { fix_issues: true }, '?plan=profile_gigs'],
  ])('%s %j with a query, %s: refused, as it takes none', async (name, json, query) => {
    project.asked.length = 0;
    const reply = await project.call(KEY, name, { json, query });
    expectProblem(reply, 400, 'bad_body');
    expect(reply.json.message).toContain(query.slice(1).split('=', 1)[0]);
    expect(project.asked).toEqual([]);
  });

  test.each([
    ['migrate/dry-run', { json: {} }],
    ['rollback/preview', { json: { all: true, confirm: 'avatars' } }],
    ['validate/dry_run=true', { json: { fix_issues: true } }],
    ['progress/profile_gigs', { method: 'GET' }],
  ] as const)('%s: refused, as the function takes no path', async (name, sent) => {
    project.asked.length = 0;
    expectProblem(await project.call(KEY, name, sent), 404, 'not_found');
    expect(project.asked).toEqual([]);
  });

  test('the region that supabase-js puts into the query is for the platform, and refused nowhere', async () => {
    const query = '?forceFunctionRegion=eu-central-1';
    expect((await project.call(KEY, 'validate', { json: {}, query })).status).toBe(200);
    expect((await project.call(KEY, 'progress', { method: 'GET', query })).status).toBe(200);
  });

  test('names of fields are not repeated at any length or number', async () => {
    const json = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${'x'.repeat(40)}${i}`, 1]));
    const reply = await project.call(KEY, 'migrate', { json });
    expectProblem(reply, 400, 'bad_body');
    expect(reply.text.length).toBeLessThan(2_000);
  });

  test.each([
    ['?nothing=1', 'nothing'],
    ['?plan=avatars&Plan=avatars', 'Plan'],
    ['?plan=avatars&plan=avatars', 'plan'],
    ['?plan=', 'plan'],
    ['?plan=avatars%00', 'plan'],
    [`?plan=${encodeURIComponent("'; drop table users; --")}`, 'plan'],
    ['?view=all', 'view'],
    ['?format=xml', 'format'],
    ['?format=', 'format'],
  ])('progress%s: refused, and the field is named', async (query, field) => {
    project.asked.length = 0;
    const reply = await project.call(KEY, 'progress', { method: 'GET', query });
    expectProblem(reply, 400, 'bad_body');
    expect(reply.json.message).toContain(field);
    expect(project.asked).toEqual([]);
  });
});

describe('a request that the functions do not take', () => {
  const wrong = Object.entries(FUNCTIONS).flatMap(([name, allowed]) =>
    ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
      .filter((method) => method !== allowed)
      .map((method) => ({ method, name, allowed })),
  );

  test.each(wrong)('$method $name: 405, and Allow', async ({ method, name, allowed }) => {
    for (const caller of ['nothing', KEY] satisfies Caller[]) {
      const body = method === 'GET' ? {} : { json: {} };
      const reply = await project.call(caller, name, { method, ...body });
      expectProblem(reply, 405, 'method_not_allowed');
      expect(reply.headers.get('allow')).toBe(allowed);
    }
  });

  test.each(['TRACE', 'TRACK', 'HEAD', 'get', 'post', 'Post', 'trace', 'PROPFIND', 'QUERY', 'NOTHING'])(
    'a request with the method %s, which no client sends: 405, and nothing is asked',
    async (method) => {
      project.asked.length = 0;
      for (const name of Object.keys(FUNCTIONS)) {
        const { status, text } = await rawRequest(`${project.url}/functions/v1/${name}`, method);
        expect([status, text.toLowerCase().includes('\r\nallow: ')], text).toEqual([405, true]);
      }
      expect(project.asked).toEqual([]);
    },
  );

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json-seq', 'json', ''])(
    'content type "%s": 415',
    async (type) => {
      project.asked.length = 0;
      const headers = type ? { 'content-type': type } : undefined;
      const body = new TextEncoder().encode('{"action":"pause"}');
      const reply = await project.call(KEY, 'migrate', { body, ...(headers && { headers }) });
      expectProblem(reply, 415, 'not_json');
      expect(project.asked).toEqual([]);
    },
  );

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON ;charset=UTF-8'])(
    'content type "%s" is JSON',
    async (type) => {
      const reply = await project.call(KEY, 'migrate', {
        body: '{"action":"pause","plan":"nothing"}',
        headers: { 'content-type': type },
      });
      expectProblem(reply, 404, 'IM001');
    },
  );

  test('no body at all: 415', async () => {
    const reply = await project.call(KEY, 'migrate', { headers: { 'content-type': 'application/json' } });
    expectProblem(reply, 400, 'bad_json');
  });
});

describe('the size of a body', () => {
  const headers = { 'content-type': 'application/json' };
  const padded = (length: number) => '{"action":"pause","plan":"nothing"}'.padEnd(length, ' ');
  const chunked = (text: string) =>
    new ReadableStream({
      start(controller) {
        const bytes = new TextEncoder().encode(text);
        for (let i = 0; i < bytes.length; i += 1000) controller.enqueue(bytes.subarray(i, i + 1000));
        controller.close();
      },
    });

  test('of 16 KB is read, with a length and in chunks', async () => {
    expectProblem(await project.call(KEY, 'migrate', { body: padded(LIMIT), headers }), 404, 'IM001');
    expectProblem(
      await project.call(KEY, 'migrate', { body: chunked(padded(LIMIT)), headers }),
      404,
      'IM001',
    );
  });

  test('of one byte more is refused, with a length and in chunks', async () => {
    project.asked.length = 0;
    for (const name of ['migrate', 'rollback', 'validate']) {
      expectProblem(
        await project.call(KEY, name, { body: padded(LIMIT + 1), headers }),
        413,
        'body_too_large',
      );
      const body = chunked(padded(LIMIT + 1));
      expectProblem(await project.call(KEY, name, { body, headers }), 413, 'body_too_large');
    }
    expect(project.asked).toEqual([]);
  });

  test('that counts is that of bytes, not of characters', async () => {
    const body = JSON.stringify({ plan: 'ü'.repeat(LIMIT / 2) });
    expectProblem(await project.call(KEY, 'migrate', { body, headers }), 413, 'body_too_large');
  });

  test('is not waited for: a body without an end is refused as soon as it is too large, a stranger at once', async () => {
    for (const [caller, length, status, code] of [
      [KEY, LIMIT + 1, 413, 'body_too_large'],
      ['nothing', 1, 401, 'unauthorized'],
    ] as const) {
      const body = new ReadableStream({
        start: (controller) =>
          controller.enqueue(new TextEncoder().encode(padded(LIMIT + 1).slice(0, length))),
      });
      const hangUp = new AbortController();
      const response = await project.send(caller, 'migrate', { body, headers, signal: hangUp.signal });
      expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ code })]);
      hangUp.abort();
    }
  });
});

describe('CORS', () => {
  test.each(Object.entries(FUNCTIONS))(
    'preflight of %s %s allows what supabase-js sends',
    async (name, method) => {
      const names: string[] = [];
      const client = createClient(project.url, project.publishableKey, {
        accessToken: async () => project.tokens.tokenOf('operator'),
        global: {
          fetch: async (_url, init) => {
            names.push(...new Headers(init?.headers).keys());
            return Response.json({});
          },
        },
      });
      await client.functions.invoke(name, { method, ...(method === 'POST' ? { body: {} } : {}) });
      expect(names).toEqual(expect.arrayContaining(['apikey', 'authorization', 'x-client-info']));

      const reply = await project.call('nothing', name, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example.test',
          'access-control-request-method': method,
          'access-control-request-headers': names.toSorted().join(','),
        },
      });
      expect([200, 204]).toContain(reply.status);
      const allowed = (header: string) =>
        (reply.headers.get(header) ?? '').split(',').map((item) => item.trim().toLowerCase());
      expect(reply.headers.get('access-control-allow-origin')).toBe('*');
      expect(allowed('access-control-allow-headers')).toEqual(expect.arrayContaining(names));
      expect(allowed('access-control-allow-methods')).toContain(method.toLowerCase());
    },
  );

  test('a browser may read answers that are no errors, too', async () => {
    for (const query of ['', '?format=prometheus']) {
      const reply = await project.call('viewer', 'progress', { method: 'GET', query });
      expect([reply.status, reply.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
    }
    const stream = await project.call(KEY, 'migrate', { json: {}, headers: { accept: 'text/event-stream' } });
    expect([stream.status, stream.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
  });
});

describe('an error of the database', () => {
  /** SQLSTATEs that something in the database could raise, and what becomes of them. */
  test.each([
    ['P0001', 500, 'internal'],
    ['XX000', 500, 'internal'],
    ['42P01', 404, 'not_installed'],
    ['3F000', 404, 'not_installed'],
    ['42703', 500, 'internal'],
    ['F0000', 500, 'internal'],
    ['IM999', 500, 'internal'],
    ['42883', 404, 'not_installed'],
    ['22012', 400, '22012'],
    ['22P02', 400, '22P02'],
    ['42501', 403, '42501'],
    ['23505', 409, '23505'],
    ['40001', 503, '40001'],
    ['40P01', 503, '40P01'],
    ['53300', 503, '53300'],
    ['55P03', 503, '55P03'],
    ['57014', 503, '57014'],
    ['57P01', 503, 'unavailable'],
    ['08006', 503, 'unavailable'],
  ])('SQLSTATE %s is %i %s, without its message, detail and hint', async (sqlstate, status, code) => {
    await db.sql.unsafe(`
      create or replace function public.pause_migration(plan text default 'avatars') returns jsonb
      language plpgsql security definer set search_path = '' as $$
      begin
        raise exception using errcode = '${sqlstate}', message = '${MARK} message', detail = '${MARK} detail',
          hint = '${MARK} hint', table = '${MARK}', column = '${MARK}';
      end
      $$`);
    const reply = await project.call(KEY, 'migrate', { json: { action: 'pause' } });
    expectProblem(reply, status, code);
    expect(reply.text).not.toContain(MARK);
    const retryAfter = reply.headers.get('retry-after');
    if (status === 503) expect(retryAfter).toMatch(/^[1-9]\d*$/);
    else expect(retryAfter).toBeNull();
  });

  test('a statement that is passed through in an error message stays inside', async () => {
    await db.sql`alter table imago.lane rename to lane_away`;
    const reply = await project.call(KEY, 'progress', { method: 'GET' });
    await db.sql`alter table imago.lane_away rename to lane`;
    expectProblem(reply, 404, 'not_installed');
    expect(reply.text).not.toContain('lane');
  });

  test('what people wrote stays inside when a user cannot be moved back', async () => {
    await db.sql.unsafe(`
      create function public.tell() returns trigger language plpgsql as $$
      begin raise exception '${MARK} %', new; end $$;
      create trigger tell before update on public.users for each row execute function public.tell()`);
    const user_id = await value<string>(db.sql, 'select id from users limit 1');
    const reply = await project.call(KEY, 'rollback', { json: { user_id } });
    await db.sql`drop trigger tell on public.users`;
    expectProblem(reply, 409, 'IM023');
    expect(reply.json.message).toContain('P0001');
    expect(reply.text).not.toContain(MARK);
  });

  test.each([
    ['is no JSON', 200, '<h1>Welcome</h1>', 'text/html', [502, 'bad_answer']],
    ['breaks off', 200, '{"plan": "avat', 'application/json', [502, 'bad_answer']],
    ["is anybody's", 200, '{}', 'application/json', [500, 'wrong_version']],
    ['is empty', 200, '', 'application/json', [500, 'wrong_version']],
    ['is of another shape', 200, '{"state": 7}', 'application/json', [500, 'wrong_version']],
    ['is a gateway in trouble', 502, '<h1>Bad gateway</h1>', 'text/html', [503, 'unavailable']],
    [
      'is a gateway that has no database',
      503,
      '{"message":"away"}',
      'application/json',
      [503, 'unavailable'],
    ],
    [
      'is that the key is not known',
      401,
      '{"message":"Invalid API key"}',
      'application/json',
      [500, 'internal'],
    ],
  ] as const)(
    'an answer of the Data API that %s is no success',
    async (_, status, text, type, [wanted, code]) => {
      project.during = async () => new Response(text, { status, headers: { 'content-type': type } });
      const reply = await project.call(KEY, 'migrate', { json: { action: 'resume' } });
      expectProblem(reply, wanted, code);
    },
  );

  test('a redirect is not followed: the server that it leads to sees no key, and the caller no address', async () => {
    const thief = await oddServer(answer('{"plan": "avatars", "state": "running"}'));
    project.during = async () =>
      new Response('', { status: 307, headers: { location: `${thief.url}/rest/v1/x` } });
    const reply = await project.call(KEY, 'migrate', { json: { action: 'resume' } });
    expectProblem(reply, 502, 'bad_answer');
    expect(reply.text).not.toContain(thief.url);
    expect(thief.asked).toEqual([]);
  });

  test('an answer without end is not read on', async () => {
    const text = new TextEncoder().encode('x'.repeat(1024 * 1024));
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(text) });
    project.during = async () => new Response(body, { headers: { 'content-type': 'application/json' } });
    expectProblem(await project.call(KEY, 'migrate', { json: { action: 'resume' } }), 502, 'bad_answer');
  });
});

describe('what is not there', () => {
  /** Another database behind the functions for the length of a test. */
  async function use(options: Parameters<typeof freshDatabase>[0]): Promise<TestDatabase> {
    const other = await freshDatabase(options);
    onTestFinished(async () => {
      await project.use(db);
      await other.drop();
    });
    await project.use(other);
    return other;
  }
  const asks: [name: string, sent: Sent][] = [
    ['migrate', { json: { max_seconds: 1 } }],
    ['migrate', { json: { action: 'pause' } }],
    ['migrate', { json: { dry_run: true } }],
    ['rollback', { json: { all: true, confirm: 'avatars' } }],
    ['rollback', { json: { user_id: '00000000-0000-4000-8000-000000000001' } }],
    ['validate', { json: {} }],
    ['progress', { method: 'GET' }],
    ['progress', { method: 'GET', query: '?format=prometheus' }],
    ['gigs/get-user-profile/1', { method: 'GET' }],
  ];

  test('Imago: every function answers 404, and says what to do', async () => {
    await use({ migrated: false });
    for (const [name, sent] of asks) {
      const reply = await project.call(KEY, name, sent);
      expectProblem(reply, 404, 'not_installed');
      expect(reply.json.hint).toContain('supabase db push');
    }
  });

  test('the app that a plan is for: the function gigs answers 404, all others 200 or 409 and name what is missing', async () => {
    await use({ app: 'none' });
    const gigs = await project.call(KEY, 'gigs/get-user-profile/1', { method: 'GET' });
    expectProblem(gigs, 404, 'not_installed');
    const authorization = `Bearer ${await project.tokens.tokenWith({ user_id: 1 })}`;
    const own = await project.call('nothing', 'gigs/get-user-gigs', {
      method: 'GET',
      headers: { authorization },
    });
    expectProblem(own, 404, 'not_installed');
    for (const [name, sent] of asks.slice(0, -1)) {
      const { status, text } = await project.call(KEY, name, sent);
      expect([200, 409], `${name} ${text}`).toContain(status);
    }
  });
});
