/** What the edge functions share and needs no database: statuses, request schemas, bodies, streams, and how they are configured. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { z } from 'zod';
import { readBody, readQuery } from '../../functions/_shared/body.ts';
import { metrics } from '../../functions/_shared/metrics.ts';
import { Problem, problem, problemOf, problems } from '../../functions/_shared/problems.ts';
import {
  migrateRequest,
  progressRequest,
  rollbackRequest,
  validateRequest,
} from '../../functions/_shared/requests.ts';
import { ruleFor } from '../../functions/_shared/statuses.ts';
import { streamed, wantsStream } from '../../functions/_shared/streaming.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const NAMES = ['gigs', 'migrate', 'progress', 'rollback', 'validate'];

describe('the HTTP status of SQLSTATE', () => {
  test.each([
    ['IM001', 404],
    ['IM016', 503],
    ['42501', 403],
    ['42P01', undefined],
    ['22P02', 400],
    ['23505', 409],
    ['40P01', 503],
    ['53300', 503],
    ['55P03', 503],
    ['57014', 503],
    ['57P01', 503],
    ['08006', 503],
    ['PGRST002', 503],
    ['PGRST116', undefined],
    ['XX000', undefined],
    ['P0001', undefined],
    ['', undefined],
  ])('%j is %s', (code, status) => {
    expect(ruleFor(code)?.status).toBe(status);
  });

  test('is 503 for a lost connection and an ended statement, with different codes', () => {
    expect(['57P01', '08006', 'PGRST001'].map((code) => ruleFor(code)?.code)).toEqual(
      Array(3).fill('unavailable'),
    );
    expect(ruleFor('57014')?.code).toBeUndefined();
  });
});

describe('refusals of the functions', () => {
  test('are code, message and hint, and nothing else', async () => {
    for (const code of Object.keys(problems) as (keyof typeof problems)[]) {
      const response = problem(code).toResponse();
      expect(response.status).toBe(problems[code].status);
      expect(Object.keys((await response.json()) as object)).toEqual(['code', 'message', 'hint']);
      expect(response.headers.has('retry-after')).toBe(response.status === 503);
    }
  });

  test('tell and log nothing of an error that nobody expected', () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    onTestFinished(() => log.mockRestore());
    const refused = problemOf(new TypeError('SECRET', { cause: 'SECRET' }));
    expect(refused).toMatchObject({ status: 500, code: 'internal' });
    expect(JSON.stringify([refused, log.mock.calls])).not.toContain('SECRET');
    expect(log.mock.calls).toEqual([['TypeError']]);
  });
});

describe('requests to the functions', () => {
  const ID = '8852cc27-0818-148a-cab7-dffa2b234fed';

  const NAMES = new Map<z.ZodType, string>([
    [migrateRequest, 'migrate'],
    [rollbackRequest, 'rollback'],
    [validateRequest, 'validate'],
    [progressRequest, 'progress'],
  ]);

  const good: [z.ZodType, unknown, unknown][] = [
    [migrateRequest, {}, { plan: 'avatars', action: 'run', max_seconds: 20 }],
    [migrateRequest, { max_seconds: 140, batch_size: 10_000 }, { max_seconds: 140, batch_size: 10_000 }],
    [migrateRequest, { max_seconds: 1, batch_size: 1, backup: false, run: 7 }, { run: 7 }],
    [migrateRequest, { max_seconds: 1.5, dry_run: true }, { max_seconds: 1.5 }],
    [migrateRequest, { plan: 'profile_gigs', action: 'cancel' }, { plan: 'profile_gigs', action: 'cancel' }],
    [migrateRequest, { max_failures: 3, on_failure: 'stop' }, { max_failures: '3', on_failure: 'stop' }],
    [migrateRequest, { max_failures: '2.5%', dry_run: false }, { max_failures: '2.5%' }],
    [migrateRequest, { dry_run: 'full' }, { dry_run: 'full' }],
    [migrateRequest, { action: 'schedule', every_seconds: 30 }, { every_seconds: 30 }],
    [migrateRequest, { action: 'finalize', confirm: 'avatars' }, { action: 'finalize' }],
    [rollbackRequest, { entity: '7', stage: 2, plan: 'tally' }, { entity: '7', stage: 2 }],
    [progressRequest, { view: 'log', level: 'error' }, { view: 'log', level: 'error' }],
    [rollbackRequest, { user_id: ID }, { user_id: ID, plan: 'avatars' }],
    [rollbackRequest, { all: true, confirm: 'avatars', plan: 'x1' }, { all: true, plan: 'x1' }],
    [validateRequest, {}, { plan: 'avatars', detailed: false, fix_issues: false, dry_run: false }],
    [progressRequest, { view: 'performance' }, { plan: 'avatars', view: 'performance', format: 'json' }],
  ];
  test.each(
    good.map(
      ([schema, request, parsed]) => [NAMES.get(schema), JSON.stringify(request), schema, parsed] as const,
    ),
  )('to %s are taken, with their defaults: %s', (_, text, schema, parsed) => {
    const request = JSON.parse(text);
    expect(schema.parse(request)).toMatchObject(parsed as object);
  });

  const bad: [z.ZodType, string, string][] = [
    [migrateRequest, 'null', 'the whole'],
    [migrateRequest, '[]', 'the whole'],
    [migrateRequest, '"run"', 'the whole'],
    [migrateRequest, '{"plan": null}', 'plan'],
    [migrateRequest, '{"plan": ""}', 'plan'],
    [migrateRequest, '{"plan": "Avatars"}', 'plan'],
    [migrateRequest, '{"plan": "avatars\\u0000"}', 'plan'],
    [migrateRequest, '{"plan": "avatars\\n"}', 'plan'],
    [migrateRequest, `{"plan": "${'a'.repeat(42)}"}`, 'plan'],
    [migrateRequest, '{"action": "stop"}', 'action'],
    [migrateRequest, '{"action": ["run"]}', 'action'],
    [migrateRequest, '{"max_seconds": 0}', 'max_seconds'],
    [migrateRequest, '{"max_seconds": 140.1}', 'max_seconds'],
    [migrateRequest, '{"max_seconds": "20"}', 'max_seconds'],
    [migrateRequest, '{"max_seconds": 1e999}', 'max_seconds'],
    [migrateRequest, '{"batch_size": 0}', 'batch_size'],
    [migrateRequest, '{"batch_size": 10001}', 'batch_size'],
    [migrateRequest, '{"batch_size": 1.5}', 'batch_size'],
    [migrateRequest, '{"dry_run": "yes"}', 'dry_run'],
    [migrateRequest, '{"backup": 0}', 'backup'],
    [migrateRequest, '{"max_failures": "101%"}', 'max_failures'],
    [migrateRequest, '{"max_failures": -1}', 'max_failures'],
    [migrateRequest, '{"on_failure": "retry"}', 'on_failure'],
    [migrateRequest, '{"action": "pause", "on_failure": "stop"}', 'on_failure'],
    [migrateRequest, '{"action": "pause", "max_seconds": 5}', 'max_seconds'],
    [migrateRequest, '{"action": "retry", "dry_run": false}', 'dry_run'],
    [migrateRequest, '{"dry_run": true, "backup": false}', 'backup'],
    [migrateRequest, '{"run": 0}', 'run'],
    [migrateRequest, '{"run": "1"}', 'run'],
    [migrateRequest, '{"run": 9007199254740993}', 'run'],
    [migrateRequest, '{"run": 1, "action": "cancel"}', 'run'],
    [rollbackRequest, `{"user_id": "${ID}", "run": 1}`, 'run'],
    [migrateRequest, '{"colour": 1}', 'colour: unknown field'],
    [migrateRequest, '{"Plan": "avatars"}', 'Plan: unknown field'],
    [migrateRequest, '{"__proto__": {"plan": "x"}}', '__proto__: unknown field'],
    [migrateRequest, '{"constructor": 1}', 'constructor: unknown field'],
    [migrateRequest, '{"action": "finalize", "dry_run": "full"}', 'dry_run'],
    [migrateRequest, '{"every_seconds": 5}', 'every_seconds'],
    [migrateRequest, '{"confirm": "avatars"}', 'confirm'],
    [rollbackRequest, `{"user_id": "${ID}", "entity": "7"}`, 'user_id'],
    [rollbackRequest, '{"all": true, "confirm": "avatars", "stage": 2}', 'stage'],
    [rollbackRequest, '{}', 'user_id'],
    [rollbackRequest, `{"user_id": "${ID}", "all": true}`, 'user_id'],
    [rollbackRequest, '{"all": false, "confirm": "avatars"}', 'all'],
    [rollbackRequest, '{"user_id": "1; drop table users"}', 'user_id'],
    [rollbackRequest, `{"user_id": "${ID}", "plan": "gigs"}`, 'plan'],
    [rollbackRequest, `{"user_id": "${ID}", "confirm": "avatars"}`, 'confirm'],
    [rollbackRequest, `{"user_id": "${ID}", "max_seconds": 3}`, 'max_seconds'],
    [rollbackRequest, '{"all": true, "force": null}', 'force'],
    [validateRequest, '{"detailed": 1}', 'detailed'],
    [validateRequest, '{"fix": true}', 'fix: unknown field'],
  ];
  test.each(bad.map(([schema, body, field]) => [NAMES.get(schema), field, body, schema] as const))(
    'to %s are refused for %s: %s',
    async (_, field, body, schema) => {
      const refused = await refusalOf(readBody(posted(body), schema));
      expect(refused).toMatchObject({ status: 400, code: 'bad_body' });
      expect(refused.message).toMatch(new RegExp(`(: |; )${field}`));
    },
  );

  test('with a bad value do not get it back', async () => {
    const body = JSON.stringify({
      plan: 'SECRET',
      action: 'SECRET',
      max_seconds: 'SECRET',
      dry_run: ['SECRET'],
    });
    expect((await refusalOf(readBody(posted(body), migrateRequest))).message).not.toContain('SECRET');
  });

  test('with hundreds of unknown fields, or a very long one, are refused briefly', async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field${i}`, i]));
    for (const body of [many, { ['x'.repeat(10_000)]: 1 }]) {
      const { message } = await refusalOf(readBody(posted(JSON.stringify(body)), migrateRequest));
      expect(message.length).toBeLessThan(1_000);
    }
  });

  test.each([
    ['colour=1', 'colour: unknown field'],
    ['plan=avatars&plan=gigs', 'plan: given twice'],
    ['view=all', 'view'],
    ['view=log&format=prometheus', 'format'],
    ['level=error', 'level'],
    ['format=xml', 'format'],
    ['plan=', 'plan'],
    ['__proto__=1', '__proto__: unknown field'],
  ])('by query ?%s are refused, naming the field', async (query, message) => {
    const read = async () => readQuery(new Request(`http://localhost/progress?${query}`), progressRequest);
    expect((await refusalOf(read())).message).toContain(message);
  });
});

/** The refusal that something ends with. */
async function refusalOf(work: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work.catch((thrown) => thrown);
  if (error instanceof Problem) return error;
  throw new Error('the request was expected to be refused and was not', { cause: error });
}

function posted(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Record<string, string> = {},
): Request {
  return new Request('http://localhost/migrate', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
    duplex: 'half',
  } as RequestInit);
}

describe('the body of a request', () => {
  const limit = 16 * 1024;
  const padded = (length: number) => `{}${' '.repeat(length - 2)}`;

  /** In pieces, without a length, and never all of it unless somebody reads on. */
  function chunked(length: number): { body: ReadableStream<Uint8Array>; sent: () => number } {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (sent >= length) return controller.close();
          const piece = new Uint8Array(Math.min(1_000, length - sent)).fill(0x20);
          if (sent === 0) piece.set(new TextEncoder().encode('{}'));
          sent += piece.length;
          controller.enqueue(piece);
        },
      },
      { highWaterMark: 0 },
    );
    return { body, sent: () => sent };
  }

  test('of 16 KB is read, whole or in pieces', async () => {
    expect(await readBody(posted(padded(limit)), migrateRequest)).toMatchObject({ action: 'run' });
    expect(await readBody(posted(chunked(limit).body), migrateRequest)).toMatchObject({ action: 'run' });
  });

  test('that is larger is refused, also when it comes in pieces without a length, or with a wrong one', async () => {
    const tooLarge = { status: 413, code: 'body_too_large' };
    expect(await refusalOf(readBody(posted(padded(limit + 1)), migrateRequest))).toMatchObject(tooLarge);
    expect(await refusalOf(readBody(posted(chunked(limit + 1).body), migrateRequest))).toMatchObject(
      tooLarge,
    );
    expect(
      await refusalOf(readBody(posted('{}', { 'content-length': '99999' }), migrateRequest)),
    ).toMatchObject(tooLarge);
  });

  test('without end is not read to the end', async () => {
    const { body, sent } = chunked(Number.POSITIVE_INFINITY);
    expect(await refusalOf(readBody(posted(body), migrateRequest))).toMatchObject({ code: 'body_too_large' });
    expect(sent()).toBeLessThan(limit + 2_000);
  });

  test.each(['', '{', '{"a": 1}}', 'undefined', "{'plan': 'avatars'}"])('%j is no JSON', async (body) => {
    expect(await refusalOf(readBody(posted(body), migrateRequest))).toMatchObject({
      status: 400,
      code: 'bad_json',
    });
  });

  test('that is no UTF-8 is no JSON', async () => {
    const bytes = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    expect(await refusalOf(readBody(posted(bytes), migrateRequest))).toMatchObject({ code: 'bad_json' });
  });

  test.each(['', 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])(
    'declared as %j is refused with 415',
    async (type) => {
      const refused = await refusalOf(readBody(posted('{}', { 'content-type': type }), migrateRequest));
      expect(refused).toMatchObject({ status: 415, code: 'not_json' });
    },
  );

  test.each(['application/json; charset=utf-8', 'Application/JSON'])(
    'declared as %j is read',
    async (type) => {
      expect(await readBody(posted('{}', { 'content-type': type }), migrateRequest)).toMatchObject({
        plan: 'avatars',
      });
    },
  );
});

describe('a stream of events', () => {
  async function* values(...items: (object | Error)[]): AsyncGenerator<object, void, void> {
    for (const item of items) {
      if (item instanceof Error) throw item;
      yield item;
    }
  }

  test('has each value, and the last as done', async () => {
    expect(await streamed(values({ n: 1 }, { n: 2 })).text()).toBe(
      'event: progress\ndata: {"n":1}\n\nevent: progress\ndata: {"n":2}\n\nevent: done\ndata: {"n":2}\n\n',
    );
  });

  test('ends with an error as code, message and hint', async () => {
    const text = await streamed(values({ n: 1 }, problem('unavailable'))).text();
    expect(text.split('\n\n').at(-2)).toBe(`event: error\ndata: ${JSON.stringify(problem('unavailable'))}`);
  });

  test('whose reader goes ends after the value that is being worked on', async () => {
    const begun = Promise.withResolvers<void>();
    const proceed = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    let made = 0;
    async function* slow(): AsyncGenerator<object, void, void> {
      try {
        for (;;) {
          made += 1;
          if (made === 2) {
            begun.resolve();
            await proceed.promise;
          }
          yield { made };
        }
      } finally {
        ended.resolve();
      }
    }
    const reader = streamed(slow()).body?.getReader();
    await reader?.read();
    void reader?.read();
    await begun.promise;
    void reader?.cancel();
    proceed.resolve();
    await ended.promise;
    expect(made).toBe(2);
  });

  test.each([
    ['text/event-stream', true],
    ['application/json, Text/Event-Stream;q=0.9', true],
    ['*/*', false],
    ['application/json', false],
  ])('is wanted by Accept: %s (%s)', (accept, wanted) => {
    expect(wantsStream(new Request('http://localhost', { headers: { accept } }))).toBe(wanted);
  });
});

test('metrics escape quotes, backslashes and line ends in names', () => {
  expect(metrics('avatars', { rows: { 'public."odd\\\n': 1 } })).toContain('relation="public.\\"odd\\\\\\n"');
});

describe('the edge functions as configured', () => {
  const read = (file: string) => readFile(path.join(root, file), 'utf8');

  test('have an entry in config.toml for every folder, which leaves the check to the function', async () => {
    const entries = await readdir(path.join(root, 'functions'), { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(names.toSorted()).toEqual(['_shared', ...NAMES]);
    const toml = await read('supabase/config.toml');
    for (const name of NAMES) {
      const [, section = ''] = toml.split(`[functions.${name}]\n`);
      expect(section.split('\n[')[0]?.trim().split('\n').slice(0, 3)).toEqual([
        'verify_jwt = false',
        `entrypoint = "../functions/${name}/index.ts"`,
        `import_map = "../functions/${name}/deno.json"`,
      ]);
    }
  });

  test('have the same import map, with every package that is imported, in the version of package.json', async () => {
    const { dependencies } = JSON.parse(await read('package.json')) as {
      dependencies: Record<string, string>;
    };
    const maps = await Promise.all(NAMES.map((name) => read(`functions/${name}/deno.json`)));
    expect(new Set(maps).size).toBe(1);
    const { imports } = JSON.parse(maps[0] ?? '') as { imports: Record<string, string> };
    for (const [specifier, target] of Object.entries(imports)) {
      const [name = ''] = specifier.match(/^(@[\w-]+\/)?[\w-]+/) ?? [];
      expect(target).toBe(`npm:${name}@${dependencies[name]}${specifier.slice(name.length)}`);
    }

    const files = await readdir(path.join(root, 'functions'), { recursive: true });
    const sources = await Promise.all(
      files.filter((file) => file.endsWith('.ts')).map((file) => read(`functions/${file}`)),
    );
    const imported = sources.flatMap((source) =>
      [...source.matchAll(/ from '([^']+)'/g)].map(([, specifier = '']) => specifier),
    );
    const bare = new Set(imported.filter((specifier) => !specifier.startsWith('.')));
    expect([...bare].toSorted()).toEqual(Object.keys(imports).toSorted());
    // Uploading follows only what is written with its extension.
    for (const specifier of imported.filter((one) => one.startsWith('.'))) expect(specifier).toMatch(/\.ts$/);
  });
});
