/** Servers that redirect, answer nonsense, or prove nothing: the command keeps the key to itself and fails in words. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { call, connect } from '../../scripts/client.ts';
import { viaFunction } from '../../scripts/migrate/via-function.ts';
import { Authority, selfSigned } from '../support/certificates.ts';
import { runCommand } from '../support/command.ts';
import { answer, endless, oddServer } from '../support/nonsense.ts';

const KEY = 'sb_secret_that_nobody_else_may_see';

/** What a call comes to, through the Data API and through an edge function. */
const ways = {
  'the Data API': (url: string) => call(connect(url, KEY), 'pause_migration', { plan: 'avatars' }),
  'an edge function': (url: string) => viaFunction(url, KEY)('pause_migration', { plan: 'avatars' }),
} as const;
const names = Object.keys(ways) as (keyof typeof ways)[];

describe.each(names)('%s', (way) => {
  const ask = (url: string) => Promise.resolve(ways[way](url));

  test.each([301, 302, 303, 307, 308])(
    'that redirects with %i: it is named where to, and the key stays',
    async (status) => {
      const thief = await oddServer(answer('{"plan": "avatars", "state": "paused"}'));
      const { url } = await oddServer((outgoing) =>
        outgoing.writeHead(status, { location: `${thief.url}/rest/v1/x\u009b2J?token=1` }).end(),
      );
      const error = await ask(url).catch((thrown) => thrown);
      expect(error).toMatchObject({
        code: 'REDIRECT',
        status,
        message: expect.stringContaining(`${thief.url}/rest/v1/x%C2%9B2J.`),
      });
      expect(error.message).not.toMatch(/token|[^ -~]/);
      expect(thief.asked).toEqual([]);
    },
  );

  test.each([
    ['nowhere', {}, 'nowhere that it names'],
    ['to another path of its own', { location: '/login' }, '/login'],
    ['to what is no address', { location: 'https://[' }, 'something that is no address'],
    ['to a script', { location: 'javascript:alert(1)' }, 'an address of the kind javascript:'],
  ])('that redirects %s: the same', async (_, headers, says) => {
    const { url, asked } = await oddServer((outgoing) => outgoing.writeHead(302, headers).end());
    await expect(ask(url)).rejects.toMatchObject({
      code: 'REDIRECT',
      message: expect.stringContaining(says),
    });
    expect(asked).toHaveLength(1);
  });

  test.each([
    ['HTML', '<h1>Welcome</h1>', 'text/html; charset=utf-8', 'text/html, and not JSON'],
    ['JSON under another name', '{}', 'text/plain', 'text/plain, and not JSON'],
    ['JSON under no name', '{}', '', 'of no type, and not JSON'],
    ['a type that does things to a terminal', '{}', 'a\u00ff/b', 'of no type'],
    ['half of an answer', '{"plan": "avatars", "sta', 'application/json', 'breaks off'],
    ['two answers', '{"plan": "avatars", "state": "paused"}{}', 'application/json', 'is none'],
  ])('that answers 200 with %s: that is no success', async (_, text, type, says) => {
    const { url } = await oddServer(answer(text, type));
    await expect(ask(url)).rejects.toMatchObject({
      code: 'NOT_JSON',
      status: 200,
      message: expect.stringContaining(says),
    });
  });

  test.each([
    '',
    'null',
    '[]',
    '[{}]',
    '{}',
    '7',
    '"done"',
    '{"version": 1}',
    '{"version": 1, "state": null}',
  ])('that answers 200 with %j: that is no success', async (text) => {
    const { url } = await oddServer(answer(text));
    await expect(ask(url)).rejects.toMatchObject({ code: 'ANSWER' });
  });

  test('that answers 204: that is no success', async () => {
    const { url } = await oddServer((outgoing) => outgoing.writeHead(204).end());
    await expect(ask(url)).rejects.toMatchObject({ code: 'ANSWER' });
  });

  test('that answers without end is not read on', async () => {
    const { url } = await oddServer(endless);
    await expect(ask(url)).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });

  test('that announces too much is not read at all', async () => {
    const { url } = await oddServer((outgoing) =>
      outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': 9_000_000 }).write('{'),
    );
    await expect(ask(url)).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });

  test.each([
    [500, '<h1>Error</h1>', 'text/html'],
    [500, '[]', 'application/json'],
    [502, '', 'text/html'],
    [400, '', 'application/json'],
    [400, 'null', 'application/json'],
    [418, '"x"', 'application/json'],
  ])('that answers %i with %j: told by its status', async (status, text, type) => {
    const { url } = await oddServer(answer(text, type, status));
    await expect(ask(url)).rejects.toMatchObject({ code: 'HTTP', status });
  });

  test.each(['', '[]', '<h1>Not found</h1>'])(
    'that answers 404 with %j: that is no success',
    async (text) => {
      const { url } = await oddServer(answer(text, 'application/json', 404));
      await expect(ask(url)).rejects.toMatchObject({
        code: expect.stringMatching(/^(HTTP|NOT_DEPLOYED)$/),
        status: 404,
      });
    },
  );

  test('that proves to be nobody hears no key', async () => {
    const { url, asked } = await oddServer(answer('{}'), selfSigned({ hosts: ['127.0.0.1'] }));
    await expect(ask(url)).rejects.toMatchObject({
      code: 'TLS',
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect(asked).toEqual([]);
  });
});

describe('commands', () => {
  const run = (args: string[], SUPABASE_URL: string, script: string, more = {}) =>
    runCommand([...args, '--json'], { SUPABASE_URL, SUPABASE_SECRET_KEY: KEY, ...more }, { script });
  const all: [string[], string][] = [
    [['--yes'], 'scripts/migrate.ts'],
    [['--stats-only'], 'scripts/migrate.ts'],
    [['--watch'], 'scripts/migrate.ts'],
    [['--pause', '--yes'], 'scripts/migrate.ts'],
    [['--dry-run'], 'scripts/migrate.ts'],
    [['--cleanup', '--dry-run'], 'scripts/migrate.ts'],
    [[], 'scripts/validate.ts'],
    [[], 'scripts/doctor.ts'],
  ];

  // The version is known, and all else is as if it were done.
  const plausible =
    '{"version": 1, "status": "done", "has_more": false, "state": "succeeded", "percentage": 100}';

  test.each(all)(
    "%j of %s takes what could be anybody's for a failure: 1, and no stack trace",
    async (args, script) => {
      const { url } = await oddServer(answer(plausible));
      const finished = await run(args, url, script);
      expect(finished.code).toBe(1);
      expect(finished.json()).toMatchObject({
        exit_code: 1,
        error: { code: 'ANSWER', hint: expect.any(String) },
      });
      expect(finished.stderr).not.toMatch(/^ +at /m);
    },
  );

  test('a login page in front: tried again, for it may go, then 1', async () => {
    const { url, asked } = await oddServer(answer('<h1>Sign in</h1>', 'text/html'));
    const finished = await run(['--stats-only'], url, 'scripts/migrate.ts');
    expect(finished.json()).toMatchObject({ exit_code: 1, error: { code: 'NOT_JSON' } });
    expect(asked).toHaveLength(4);
  });

  test('a redirect: asked once, 1, and it is said where it leads', async () => {
    const { url, asked } = await oddServer((outgoing) =>
      outgoing.writeHead(308, { location: 'https://elsewhere.example.test/' }).end(),
    );
    for (const [args, script] of [
      [['--yes'], 'scripts/migrate.ts'],
      [['--yes', '--via-function'], 'scripts/migrate.ts'],
      [[], 'scripts/doctor.ts'],
    ] as [string[], string][]) {
      asked.length = 0;
      const finished = await run(args, url, script);
      const message = expect.stringContaining('https://elsewhere.example.test/');
      expect(finished.json()).toMatchObject({ exit_code: 1, error: { code: 'REDIRECT', message } });
      expect(asked).toHaveLength(1);
    }
  });

  test('a server with a CA of its own is believed where NODE_EXTRA_CA_CERTS names it, and under its own name only', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-answers-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const authority = new Authority();
    const roots = path.join(folder, 'roots.crt');
    await writeFile(roots, authority.cert);
    const trusting = { NODE_EXTRA_CA_CERTS: roots };
    const its = await oddServer(answer('{}'), authority.issue({ hosts: ['127.0.0.1'] }));
    const believed = await run(['--stats-only'], its.url, 'scripts/migrate.ts', trusting);
    expect(believed.json()).toMatchObject({ exit_code: 1, error: { code: 'ANSWER' } });
    expect(its.asked[0]?.key).toBe(KEY);
    const other = await oddServer(answer('{}'), authority.issue({ hosts: ['127.0.0.2'] }));
    const refused = await run(['--stats-only'], other.url, 'scripts/migrate.ts', trusting);
    expect(refused.json()).toMatchObject({ exit_code: 1, retries: 0, error: { code: 'TLS' } });
    expect(other.asked).toEqual([]);
  });
});
