/** Connections to databases on other machines: encrypted and verified before anything is said, or as the URL wants it. */
import dns from 'node:dns';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Terminal } from '../../scripts/command/terminal.ts';
import { checkedDatabaseUrl } from '../../scripts/connection/address.ts';
import { answerTo, openDatabase } from '../../scripts/connection/open.ts';
import { diffDatabases } from '../../scripts/db/diff.ts';
import { lookAtConnection } from '../../scripts/doctor/connection.ts';
import { attempt } from '../../scripts/doctor/probe/part.ts';
import { tryConnection } from '../../scripts/doctor/probe/ways.ts';
import { takeDump } from '../../scripts/migrate/dump.ts';
import { Authority, type Certificate, selfSigned } from '../support/certificates.ts';
import { freshProject, runCommand } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { type Manners, pretender, REMOTE, type TlsCluster, tlsCluster } from '../support/tls.ts';

const PASSWORD = 'a-password-that-must-not-be-heard';

let cluster: TlsCluster;
let db: TestDatabase;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'imago-tls-test-'));
  cluster = await tlsCluster();
  db = await freshDatabase({ on: cluster });
});

afterAll(async () => {
  await db?.drop();
  await cluster?.remove();
  await rm(folder, { recursive: true, force: true });
});

/** The test database at another host, as a command would have it after reading its environment. */
function at(host: string, { query = '', roots }: { query?: string; roots?: string } = {}): string {
  return checkedDatabaseUrl(`${db.url.replace('127.0.0.1', host)}${query}`, { name: 'DATABASE_URL', roots });
}

/** Whether the session is encrypted, and what was warned of. */
async function session(url: string): Promise<{ ssl: boolean; warnings: string[] }> {
  const warnings: string[] = [];
  const sql = openDatabase(url, { warn: (line) => warnings.push(line) });
  try {
    const [row] = await answerTo(
      sql<{ ssl: boolean }[]>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`,
    );
    return { ssl: row?.ssl ?? false, warnings };
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** The names lead to this machine, as an entry in /etc/hosts would have it. */
function resolve(names: Record<string, string>): void {
  const { lookup } = dns;
  const resolving = (name: string, options: object, done: (...answer: unknown[]) => void) => {
    const address = names[name];
    if (address === undefined) return lookup(name, options, done as never);
    const isAll = 'all' in options && options.all;
    return done(null, isAll ? [{ address, family: 4 }] : address, 4);
  };
  const spy = vi.spyOn(dns, 'lookup').mockImplementation(resolving as never);
  onTestFinished(() => spy.mockRestore());
}

describe('a PostgreSQL with TLS', () => {
  test('whose certificate is of a known CA and for this host: encrypted, without a word', async () => {
    expect(await session(at('0.0.0.0', { roots: cluster.roots }))).toEqual({ ssl: true, warnings: [] });
    const inUrl = `?sslrootcert=${encodeURIComponent(cluster.roots)}`;
    expect(await session(at('0.0.0.0', { query: inUrl }))).toEqual({ ssl: true, warnings: [] });
    resolve({ 'db.example.test': '127.0.0.1' });
    expect(await session(at('db.example.test', { roots: cluster.roots }))).toEqual({
      ssl: true,
      warnings: [],
    });
  });

  test('is refused under another name or address than its certificate is for', async () => {
    resolve({ 'other.example.test': '127.0.0.1', 'xdb.example.test': '127.0.0.1' });
    for (const host of ['other.example.test', 'xdb.example.test', REMOTE, '127.0.0.1']) {
      const url = at(host, { query: '?sslmode=verify-full', roots: cluster.roots });
      await expect(session(url), host).rejects.toMatchObject({
        code: 'TLS',
        message: expect.stringContaining('another host'),
      });
    }
  });

  test('is refused where its CA is not known, also under a name of Supabase', async () => {
    resolve({ 'db.abcdefghijklmnopqrst.supabase.co': '127.0.0.1' });
    for (const host of ['0.0.0.0', 'db.abcdefghijklmnopqrst.supabase.co'])
      await expect(session(at(host)), host).rejects.toMatchObject({
        code: 'TLS',
        message: expect.stringContaining('not signed by a CA that this machine trusts'),
        hint: expect.stringContaining('PGSSLROOTCERT'),
      });
  });

  test('is verified although NODE_TLS_REJECT_UNAUTHORIZED says that nothing is to be', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(session(at('0.0.0.0'))).rejects.toMatchObject({ code: 'TLS' });
  });

  test.each([
    ['verify-ca', true, 'not that it is for this host'],
    ['require', true, 'nobody checks'],
    ['prefer', true, 'offers it'],
    ['allow', true, 'offers it'],
    ['disable', false, 'in the clear'],
  ])('with sslmode=%s: encrypted is %s, and the warning says what that is worth', async (mode, ssl, says) => {
    const roots = mode === 'verify-ca' ? { roots: cluster.roots } : {};
    const seen = await session(at(REMOTE, { query: `?sslmode=${mode}`, ...roots }));
    expect(seen).toEqual({ ssl, warnings: mode === 'allow' ? [] : [expect.stringContaining(says)] });
    // It was said once, and allow is prefer.
    expect(await session(at(REMOTE, { query: `?sslmode=${mode}`, ...roots }))).toEqual({ ssl, warnings: [] });
  });

  test('with sslmode=verify-ca is refused where its CA is not known', async () => {
    await expect(session(at('0.0.0.0', { query: '?sslmode=verify-ca' }))).rejects.toMatchObject({
      code: 'TLS',
    });
  });

  test('on this machine is talked to without TLS, unless the URL wants it', async () => {
    expect(await session(at('127.0.0.1'))).toEqual({ ssl: false, warnings: [] });
    expect(await session(at('localhost'))).toEqual({ ssl: false, warnings: [] });
    expect(await session(at('127.0.0.1', { query: '?sslmode=require' }))).toEqual({
      ssl: true,
      warnings: [],
    });
  });

  test('a statement that takes long can still be cancelled', async () => {
    const sql = openDatabase(at('0.0.0.0', { roots: cluster.roots }), { warn: () => {} });
    const [me] = await sql`select pg_backend_pid() as pid`;
    const query = sql`select pg_sleep(600)`;
    const cancelled = expect(query).rejects.toMatchObject({ code: '57014' });
    await vi.waitUntil(async () => {
      const rows = await db.sql`select from pg_stat_activity where pid = ${me?.pid} and state = 'active'`;
      return rows.length > 0;
    });
    query.cancel();
    await cancelled;
    await sql.end({ timeout: 1 });
  });
});

describe('a server that is not what it should be', () => {
  const authority = new Authority('Another');
  const hosts = [REMOTE, '0.0.0.0'];
  let roots: string;
  beforeAll(async () => {
    roots = path.join(folder, 'another.crt');
    await writeFile(roots, authority.cert);
  });
  const url = (port: number, query = '') =>
    checkedDatabaseUrl(`postgresql://postgres:${PASSWORD}@0.0.0.0:${port}/postgres${query}`, {
      name: 'DATABASE_URL',
      roots,
    });

  test.each<[string, () => Manners, string]>([
    ['has no TLS', () => 'no TLS', 'offers no TLS'],
    ['is of another kind', () => 'HTTP', "does not speak PostgreSQL's protocol"],
    [
      'says more than it was asked before there is TLS',
      () => 'more than an answer',
      "does not speak PostgreSQL's protocol",
    ],
    ['hangs up', () => 'hanging up', "does not speak PostgreSQL's protocol"],
    [
      'has a certificate that has expired',
      () => authority.issue({ hosts, from: -10, to: -1 }),
      'has expired',
    ],
    ['has a certificate of tomorrow', () => authority.issue({ hosts, from: 1, to: 10 }), 'is not valid yet'],
    ['has a certificate of its own making', () => selfSigned({ hosts }), 'not signed by a CA in'],
    [
      'has a certificate of another CA',
      () => new Authority('A third').issue({ hosts }),
      'not signed by a CA in',
    ],
    [
      'has a certificate of a CA of the same name',
      () => new Authority('Another').issue({ hosts }),
      'not signed by a CA in',
    ],
    [
      'has a certificate for somebody else',
      () => authority.issue({ hosts: ['else.test'] }),
      'for another host',
    ],
    ['has a certificate for nobody', () => authority.issue({}), 'for another host'],
  ])('and %s hears neither name nor password', async (_, manners, says) => {
    const { port, heard } = await pretender(manners());
    await expect(session(url(port))).rejects.toMatchObject({
      code: expect.stringMatching(/^(TLS|ECONNRESET)$/),
      message: expect.stringContaining(says),
      hint: expect.stringContaining('No name and no password was sent.'),
    });
    expect(heard()).toBe('');
  });

  test('and never says a word is given up after the time that the URL gives it', async () => {
    const { port, heard } = await pretender('silence');
    await expect(session(url(port, '?connect_timeout=1'))).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' });
    expect(heard()).toBe('');
  });

  test.each(['hanging up', 'HTTP'] as const)(
    'and has no TLS to have, and is %s: it ends, and says so',
    async (manners) => {
      const { port } = await pretender(manners);
      const clear = `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres?connect_timeout=2`;
      const error = await session(checkedDatabaseUrl(clear, { name: 'DATABASE_URL' })).catch(
        (thrown) => thrown,
      );
      expect(error).toMatchObject({
        code: expect.stringMatching(/^(NETWORK|CONNECT_TIMEOUT|CONNECTION_CLOSED)$/),
      });
    },
  );

  test('and turns out to be one without TLS hears all of it where the URL says prefer, and nothing else', async () => {
    const { port, heard } = await pretender('no TLS');
    await session(url(port, '?sslmode=prefer')).catch(() => {});
    expect(heard()).toContain('postgres');
    const strict = await pretender('no TLS');
    await session(url(strict.port, '?sslmode=require')).catch(() => {});
    expect(strict.heard()).toBe('');
  });

  const elsewhere = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === 'IPv4' && !address.internal)?.address;
  test
    .skipIf(!elsewhere)
    .each(['', '?sslmode=disable', '?sslmode=prefer', '?sslmode=require', '?sslmode=verify-ca'])(
    'and is where the name localhost leads hears nothing: %s',
    async (query) => {
      let heard = '';
      const server = createServer((socket) =>
        socket.on('data', (bytes) => (heard += bytes)).on('error', () => {}),
      );
      await new Promise<void>((done) => server.listen(0, elsewhere, done));
      onTestFinished(() => void server.close());
      resolve({ localhost: elsewhere ?? '' });
      const { port } = server.address() as { port: number };
      const local = `postgresql://postgres:${PASSWORD}@localhost:${port}/postgres${query}`;
      await expect(session(local)).rejects.toMatchObject({
        message: expect.stringContaining('another machine'),
      });
      expect(heard).toBe('');
    },
  );
});

describe('commands', () => {
  const say = new Terminal('error');

  test('that work over DATABASE_URL refuse a server that proves nothing, and work with one that does', async () => {
    const run = (...[args, environment, script]: [string[], object, string]) =>
      runCommand(args, { IMAGO_FOLDER: path.join(folder, 'imago'), ...environment }, { script });
    const url = db.url.replace('127.0.0.1', '0.0.0.0');
    const status = ['db', 'status', '--json'];
    const refused = await run(status, { DATABASE_URL: url }, 'scripts/imago.ts');
    expect(refused.json()).toMatchObject({
      exit_code: 1,
      error: { code: 'unreachable', hint: expect.stringContaining('PGSSLROOTCERT') },
    });
    const verified = await run(
      status,
      { DATABASE_URL: url, PGSSLROOTCERT: cluster.roots },
      'scripts/imago.ts',
    );
    expect([verified.code, verified.stderr]).toEqual([0, `Target: ${db.name} at 0.0.0.0:${cluster.port}\n`]);
    const byNode = await run(
      status,
      { DATABASE_URL: url, NODE_EXTRA_CA_CERTS: cluster.roots },
      'scripts/imago.ts',
    );
    expect(byNode.code).toBe(0);
    const weak = await run(status, { DATABASE_URL: `${url}?sslmode=require` }, 'scripts/imago.ts');
    expect([weak.code, weak.stderr]).toEqual([0, expect.stringContaining('sslmode=require')]);
    const unread = await run(status, { DATABASE_URL: url, PGSSLROOTCERT: '/nowhere' }, 'scripts/imago.ts');
    expect(unread.json()).toMatchObject({
      exit_code: 2,
      error: { code: 'no-target', message: expect.stringContaining('/nowhere') },
    });
  });

  test('tell the Supabase CLI which CA to believe: it verifies, too', async () => {
    expect(await diffDatabases(db.url, at('0.0.0.0', { roots: cluster.roots }))).toEqual([]);
    const stranger = path.join(folder, 'stranger.crt');
    await writeFile(stranger, new Authority('A stranger').cert);
    await expect(diffDatabases(db.url, at('0.0.0.0', { roots: stranger }))).rejects.toMatchObject({
      code: 'diff-fails',
    });
  });

  test('tell pg_dump which CA to believe, and nothing of the environment tells it otherwise', async () => {
    const program = path.join(folder, 'pg_dump');
    await writeFile(
      program,
      `#!/bin/sh
if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 17.2"; exit; fi
while [ "$1" != --file ]; do shift; done
env | grep ^PG > "$2"
cat "$PGSSLROOTCERT" >> "$2"
`,
    );
    await chmod(program, 0o755);
    for (const [name, value] of Object.entries({
      PGHOSTADDR: '10.0.0.1',
      PGSERVICE: 'x',
      PGSSLMODE: 'disable',
    }))
      vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const file = path.join(folder, 'before.dump');
    const signal = new AbortController().signal;
    const databaseUrl = at('0.0.0.0', { roots: cluster.roots });
    await takeDump({ file, databaseUrl, projectUrl: undefined, program, signal }, say);
    const told = await readFile(file, 'utf8');
    expect(told).toContain('PGSSLMODE=verify-full\n');
    expect(told).toContain(`PGSSLROOTCERT=${cluster.roots}\n`);
    expect(told).toContain('-----BEGIN CERTIFICATE-----');
    expect(told).not.toMatch(/^PG(HOSTADDR|SERVICE)=/m);

    const untrusted = {
      file: `${file}.2`,
      databaseUrl: at('0.0.0.0'),
      projectUrl: undefined,
      program,
      signal,
    };
    await expect(takeDump(untrusted, say)).rejects.toMatchObject({
      name: 'DumpError',
      message: expect.stringContaining('not signed'),
    });
  });

  test('the probe of doctor says by which CA the server is verified, and fails where it is not', async () => {
    const roots = cluster.roots;
    const verified = await tryConnection(at('0.0.0.0', { roots }));
    expect(verified).toMatch(/sslmode verify-full, TLSv1\.\d, verified by the CA of a file$/);
    expect(verified).not.toContain('0.0.0.0');
    const unverified = attempt('connection', () =>
      tryConnection(at('0.0.0.0', { query: '?sslmode=require' })),
    );
    expect(await unverified).toMatchObject({
      status: 'failed',
      text: expect.stringMatching(/sslmode require, TLSv1\.\d, certificate not verified$/),
    });
    expect(await attempt('connection', () => tryConnection(at('0.0.0.0')))).toEqual({
      name: 'connection',
      status: 'failed',
      text: 'TLS',
    });
  });

  test('doctor says whether the server of DATABASE_URL has proved who it is', async () => {
    const look = async (url: string | undefined) => {
      const { database, findings } = await lookAtConnection(url);
      return [database, ...findings.map(({ severity, code }) => `${severity} ${code}`)];
    };
    expect(await look(undefined)).toEqual(['not set']);
    expect(await look(db.url)).toEqual(['this machine']);
    expect(await look(at('0.0.0.0', { roots: cluster.roots }))).toEqual(['verified']);
    expect(await look(at('0.0.0.0'))).toEqual(['unverified', 'error database_unverified']);
    expect(await look(at('0.0.0.0', { query: '?sslmode=require' }))).toEqual([
      'unverified',
      'warning database_unverified',
    ]);
    const { port } = await pretender(new Authority().issue({}) satisfies Certificate);
    expect(await look(`postgresql://u@0.0.0.0:${port}/x`)).toEqual([
      'unverified',
      'error database_unverified',
    ]);
    expect(await look('postgresql://u@nowhere.invalid/x')).toEqual([
      'unverified',
      'warning database_unreachable',
    ]);
  });

  test('doctor ends with 3 for a database that proves nothing, and sends it no password', async () => {
    const project = await freshProject({ app: 'none' });
    const { port, heard } = await pretender(selfSigned({ hosts: ['0.0.0.0'] }));
    const DATABASE_URL = `postgresql://postgres:${PASSWORD}@0.0.0.0:${port}/postgres`;
    const environment = { ...project.environment, DATABASE_URL };
    const finished = await runCommand(['--json'], environment, { script: 'scripts/doctor.ts' });
    expect(finished.json()).toMatchObject({
      exit_code: 3,
      findings: [{ severity: 'error', code: 'database_unverified', object: `0.0.0.0:${port}` }],
      facts: { database: 'unverified' },
    });
    expect(heard()).toBe('');
    expect(finished.stdout + finished.stderr).not.toContain(PASSWORD);
  });
});
