/** The one reader of database URLs: who is meant, and how safe the way there has to be. */

import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import {
  checkedDatabaseUrl,
  databaseUrl,
  readDatabaseUrl as readUrl,
  weakness,
} from '../../scripts/connection/address.ts';
import { libpqVariables, undirected, withRootsFile } from '../../scripts/connection/children.ts';
import { isLoopback } from '../../scripts/connection/loopback.ts';
import { answerTo } from '../../scripts/connection/open.ts';
import { isSupabaseHost, supabaseCertificates, trustedCertificates } from '../../scripts/connection/trust.ts';
import { Authority } from '../support/certificates.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'imago-url-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string) => {
  const at = path.join(folder, name);
  writeFileSync(at, text);
  return at;
};
const authority = new Authority();
const roots = file('roots.crt', `about it\n${authority.cert}`);

const read = (url: string, rootsFile?: string) => readUrl(url, { name: 'DATABASE_URL', roots: rootsFile });
const remote = 'postgresql://postgres:secret@db.example.test:5432/postgres';

describe('this machine', () => {
  test.each([
    'localhost',
    'LOCALHOST',
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '[::1]',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '/var/run/postgresql',
  ])('is %s', (host) => expect(isLoopback(host)).toBe(true));

  test.each([
    '',
    '0.0.0.0',
    '::',
    '::2',
    '128.0.0.1',
    '126.255.255.255',
    '127.1',
    '127.0.0.1.',
    '127.0.0.1.example.test',
    '127.0.0.256',
    '0x7f.0.0.1',
    '2130706433',
    '::ffff:10.0.0.1',
    'localhost.',
    'localhost.localdomain',
    'localhost.example.test',
    'a.localhost',
    'notlocalhost',
    'localhost:5432',
    '@localhost',
    'db.localhost.supabase.co',
  ])('is not %j, which might lead elsewhere', (host) => expect(isLoopback(host)).toBe(false));
});

function hintOf(url: string): string {
  try {
    read(url);
  } catch (error) {
    if (error instanceof UsageError) return error.hint ?? '';
  }
  throw new Error('not refused');
}

describe('protection', () => {
  test.each([
    [remote, 'verify-full'],
    ['postgresql://u@10.0.0.1/db', 'verify-full'],
    ['postgresql://u@[2001:db8::1]/db', 'verify-full'],
    ['postgresql://u@127.1/db', 'verify-full'],
    ['postgresql://u@0.0.0.0/db', 'verify-full'],
    ['postgresql://u@localhost/db', 'disable'],
    ['postgresql://u@LocalHost/db', 'disable'],
    ['postgresql://u@%6cocalhost/db', 'disable'],
    ['postgresql://u@127.0.0.1:6000/db', 'disable'],
    ['postgresql://u@[::1]/db', 'disable'],
    ['postgresql://u@[::ffff:127.0.0.1]/db', 'disable'],
    ['postgresql://u@%2Ftmp%2Fsockets/db', 'disable'],
    ['postgresql:///db?host=/tmp/sockets', 'disable'],
    ['postgresql:///db?host=db.example.test', 'verify-full'],
    ['postgresql:///db?host=localhost', 'disable'],
  ])('of %s, which says nothing of it, is %s', (url, protection) => {
    expect(read(url).protection).toBe(protection);
  });

  test.each([
    ['disable', 'disable', 'in the clear'],
    ['allow', 'prefer', 'offers it'],
    ['prefer', 'prefer', 'offers it'],
    ['require', 'require', 'nobody checks'],
    ['verify-ca', 'verify-ca', 'not that it is for this host'],
  ])('that sslmode=%s asks for is %s, with a warning that names the host', (mode, protection, says) => {
    const address = read(`${remote}?sslmode=${mode}`);
    expect(address.protection).toBe(protection);
    expect(weakness(address)).toContain(says);
    expect(weakness(address)).toContain('db.example.test');
    expect(weakness(address)).not.toContain('secret');
  });

  test.each(['disable', 'prefer', 'require', 'verify-ca', 'verify-full'])(
    'on this machine may be %s, without a warning',
    (mode) => {
      const address = read(`postgresql://u@127.0.0.1/db?sslmode=${mode}`);
      expect([address.protection, weakness(address)]).toEqual([mode, undefined]);
    },
  );

  test('without sslmode has no warning', () => expect(weakness(read(remote))).toBeUndefined());

  test.each(['', 'verify', 'VERIFY-FULL', 'no-verify', 'true', 'false', 'off', '__proto__', 'toString'])(
    'is refused where sslmode=%s says what there is not',
    (mode) => expect(() => read(`${remote}?sslmode=${mode}`)).toThrow('an sslmode that there is not'),
  );

  test('by named certificates: the URL goes before PGSSLROOTCERT, and require looks at them', () => {
    const other = file('other.crt', authority.cert);
    expect(read(remote, roots)).toMatchObject({ protection: 'verify-full', roots });
    expect(read(`${remote}?sslrootcert=${encodeURIComponent(other)}`, roots)).toMatchObject({ roots: other });
    expect(read(`${remote}?sslmode=require`, roots)).toMatchObject({ protection: 'verify-ca', roots });
    expect(read(`${remote}?sslmode=prefer`, roots)).toMatchObject({ protection: 'prefer', roots: undefined });
    expect(read('postgresql://u@127.0.0.1/db', '/nowhere')).toMatchObject({ protection: 'disable' });
  });

  test('by the certificates of the system is verify-full or refused', () => {
    expect(read(`${remote}?sslrootcert=system`)).toMatchObject({
      protection: 'verify-full',
      roots: 'system',
    });
    for (const mode of ['require', 'verify-ca'])
      expect(() => read(`${remote}?sslmode=${mode}`, 'system')).toThrow('PGSSLROOTCERT is system');
  });

  test.each([
    ['which is not there', path.join(folder, 'none'), 'ENOENT'],
    ['which is a folder', folder, 'EISDIR'],
    ['without a certificate', file('empty', 'nothing'), 'holds no certificate'],
    [
      'with something else in the form of one',
      file('broken', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'),
      'cannot be read',
    ],
  ])('by a file %s is refused, and the file named', (_, name, says) => {
    expect(() => read(remote, name)).toThrow(`PGSSLROOTCERT names ${name}`);
    expect(() => read(remote, name)).toThrow(says);
  });
});

describe('a database URL', () => {
  test('is read in all its parts, escapes and defaults', () => {
    expect(
      read('postgres://a%40b:p%3A%2F%3F%23%5B%5D%25%20%C3%A4@Host.Example:6000/d%2Fb?connect_timeout=3'),
    ).toEqual({
      host: 'host.example',
      port: 6000,
      user: 'a@b',
      password: 'p:/?#[]% ä',
      database: 'd/b',
      protection: 'verify-full',
      roots: undefined,
      connectSeconds: 3,
      settings: {},
    });
    expect(read('postgresql://h.example')).toMatchObject({
      port: 5432,
      user: 'postgres',
      password: undefined,
      database: 'postgres',
      connectSeconds: 10,
    });
  });

  test('as it is handed on says the same, for Node and for libpq', () => {
    const settings = '&options=-c%20search_path%3Dapp&application_name=my%20app&search_path=a%2Cb';
    for (const url of [
      remote,
      `${remote}?sslmode=require${settings}`,
      'postgresql://postgres.ref:p%40%2F%20w@eu.pooler.supabase.com:5432/postgres?connect_timeout=5',
      'postgresql://u@[::1]:1/db',
      'postgresql://u@[2001:db8::1]/db',
      'postgresql:///db?host=/tmp/a%20b&port=7',
      'postgresql://u@%2Ftmp/d%20b',
    ]) {
      const address = read(url);
      const handedOn = checkedDatabaseUrl(url, { name: 'DATABASE_URL' });
      expect(handedOn).not.toContain('+');
      expect(read(handedOn)).toEqual(address);
      expect(databaseUrl(address)).toBe(handedOn);
      expect(new URL(handedOn).searchParams.get('sslmode')).toBe(address.protection);
    }
  });

  test('with named certificates hands them on, wherever it is read next', () => {
    const handedOn = checkedDatabaseUrl(remote, { name: 'DATABASE_URL', roots: path.relative('.', roots) });
    expect(read(handedOn)).toMatchObject({ protection: 'verify-full', roots });
  });

  test.each([
    ['is no URL', 'host=db.example.test user=postgres', 'not a URL like'],
    ['is of another kind', 'https://db.example.test/', 'not a URL like'],
    ['is none of ours', 'jdbc:postgresql://db.example.test/', 'not a URL like'],
    ['names several hosts', 'postgresql://u@localhost,db.example.test/db', 'several hosts'],
    ['names several hosts behind the ?', 'postgresql:///db?host=localhost,db.example.test', 'several hosts'],
    ['hides several hosts', 'postgresql://u@localhost%2Cdb.example.test/db', 'several hosts'],
    ['names two hosts', 'postgresql://u@localhost/db?host=db.example.test', 'a host twice'],
    [
      'names an address beside the host',
      'postgresql://u@localhost/db?hostaddr=10.0.0.1',
      'parameter hostaddr',
    ],
    [
      'names an address in other letters',
      'postgresql://u@localhost/db?HostAddr=10.0.0.1',
      'parameter HostAddr',
    ],
    ['names a port twice', 'postgresql://u@localhost:1/db?port=2', 'twice'],
    ['names a service', 'postgresql://u@localhost/db?service=other', 'parameter service'],
    ['asks for TLS in other words', `${remote}?ssl=true`, 'parameter ssl'],
    ['asks for TLS in other letters', `${remote}?SSLMODE=disable`, 'parameter SSLMODE'],
    ['names certificates of its own', `${remote}?sslcert=a`, 'parameter sslcert'],
    ['binds the channel', `${remote}?channel_binding=require`, 'parameter channel_binding'],
    ['says a thing twice', `${remote}?sslmode=verify-full&sslmode=disable`, 'sslmode twice'],
    ['names no host', 'postgresql:///db', 'names no host'],
    ['has a login alone before its host', 'postgresql://u:p@/db?host=/tmp', 'no host behind it'],
    ['has a login and nothing', 'postgresql://u:p@', 'no host behind it'],
    ['has a # in its password', 'postgresql://postgres:12#34@db.example.test/db', 'has a #'],
    ['has a / in its password', 'postgresql://postgres:12/34@db.example.test/db', 'behind its host'],
    ['has a ? in its password', 'postgresql://postgres:12?34@db.example.test/db', 'no parameter'],
    ['has a % that begins nothing', 'postgresql://postgres:1%2@db.example.test/db', 'begins no escape'],
    ['ends a text early', 'postgresql://u@db.example.test/db%00x', '%00'],
    ['ends a host early', 'postgresql://u@localhost%00.example.test/db', '%00'],
    ['has a host of other characters', 'postgresql://u@loc%C3%A4l/db', 'no host has'],
    ['has a host with a blank', 'postgresql://u@local%20host/db', 'no host has'],
    ['has a host with an @', 'postgresql://u@a%40b/db', 'no host has'],
    ['has no port', 'postgresql://u@h.example:0/db', 'a port that is not'],
    ['has no time', `${remote}?connect_timeout=0`, 'connect_timeout'],
  ])('that %s is refused', (_, url, says) => {
    expect(() => read(url)).toThrow(says);
    expect(() => read(url)).toThrow('DATABASE_URL');
  });

  test('with a login and no host is refused with the spelling of a Unix socket, which is read', () => {
    const [, hinted = ''] =
      /socket is its folder: (\S+)\.$/.exec(hintOf('postgresql://u:p@/db?host=/tmp')) ?? [];
    expect(read(hinted)).toMatchObject({ host: '/var/run/postgresql', user: 'user' });
  });

  test.each([
    ['Prisma', 'pgbouncer=true&connection_limit=1&pool_timeout=0&schema=public'],
    ['Vercel', 'supa=base-pooler.x&workaround=supabase-pooler.vercel'],
    ['libpq', 'keepalives=1&keepalives_idle=30&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=9'],
  ])('does not tell the server what is said to the pool of %s', (_, query) => {
    expect(read(`${remote}?${query}&search_path=app`).settings).toEqual({ search_path: 'app' });
  });

  test('is never quoted in a refusal', () => {
    for (const url of [
      'nonsense:secret',
      `${remote}?sslmode=secret`,
      `${remote}#secret`,
      `${remote}?secret=1&secret=2`,
    ])
      try {
        read(url);
        expect.unreachable();
      } catch (error) {
        if (!url.includes('?secret=')) expect(String(error)).not.toContain('secret');
      }
  });
});

describe('programs that are started', () => {
  const address = read(`${remote}?connect_timeout=7&options=reference%3Dabc`, roots);

  test('are told host, login, options and protection, whatever the environment says', () => {
    const surroundings = {
      PATH: '/bin',
      PG_DUMP: '/bin/pg_dump',
      PGHOST: 'elsewhere',
      PGHOSTADDR: '10.0.0.1',
      PGSERVICE: 'other',
      PGSERVICEFILE: '/tmp/services',
      PGSSLMODE: 'disable',
      PGREQUIRESSL: '0',
      PGSSLROOTCERT: '/tmp/other',
      PGGSSENCMODE: 'require',
      PGOPTIONS: '-c x=y',
      PGPASSFILE: '/tmp/passwords',
    };
    expect({ ...undirected(surroundings), ...libpqVariables(address, roots) }).toEqual({
      PATH: '/bin',
      PG_DUMP: '/bin/pg_dump',
      PGPASSFILE: '/tmp/passwords',
      PGHOST: 'db.example.test',
      PGPORT: '5432',
      PGUSER: 'postgres',
      PGPASSWORD: 'secret',
      PGDATABASE: 'postgres',
      PGAPPNAME: 'imago',
      PGCONNECT_TIMEOUT: '7',
      PGOPTIONS: 'reference=abc',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: roots,
      PGGSSENCMODE: 'disable',
    });
  });

  test('get the certificates in one file, which goes afterwards; the named one stays as it is', async () => {
    expect(await withRootsFile(address, async (at) => at)).toBe(roots);
    expect(await withRootsFile(read(`${remote}?sslmode=require`), async (at) => at)).toBeUndefined();
    const project = read('postgresql://u@db.abcdefghijklmnopqrst.supabase.co/postgres');
    const made = await withRootsFile(project, async (at = '') => ({ at, text: readFileSync(at, 'utf8') }));
    for (const certificate of supabaseCertificates()) expect(made.text).toContain(certificate);
    expect(existsSync(made.at)).toBe(false);
  });
});

test('a question that no database answers ends with an error after half a minute', async () => {
  vi.useFakeTimers();
  const asked = expect(answerTo(new Promise(() => {}))).rejects.toMatchObject({ code: 'TIMEOUT' });
  await vi.advanceTimersByTimeAsync(30_000);
  await asked;
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  expect(await answerTo(Promise.resolve(7))).toBe(7);
});

describe("Supabase's own CA", () => {
  test('is what the head of its file says, and good for some time', () => {
    const certificates = supabaseCertificates().map((text) => new X509Certificate(text));
    expect(certificates.map(({ fingerprint256 }) => fingerprint256)).toEqual([
      '80:70:25:AD:50:D4:ED:21:9D:2C:9C:7D:29:9C:00:4F:82:4E:B0:0C:F7:F6:5A:FE:F6:07:D0:7B:72:E6:CA:FA',
      '5F:9B:77:95:1A:7A:A1:30:3F:9B:58:EE:A9:BF:A8:9E:35:8C:FD:C1:5F:97:86:FF:10:D4:93:0A:72:2C:9A:E2',
    ]);
    for (const { subject, ca } of certificates)
      expect([subject.includes('CN=Supabase Root 2021 CA'), ca]).toEqual([true, true]);
  });

  test.each([
    ['db.abcdefghijklmnopqrst.supabase.co', true],
    ['aws-0-eu-west-1.pooler.supabase.com', true],
    ['supabase.com.example.test', false],
    ['notsupabase.co', false],
    ['db.example.test', false],
  ])('at %s is trusted: %s', (host, is) => {
    expect(isSupabaseHost(host)).toBe(is);
    const trusted = trustedCertificates({ host, roots: undefined });
    expect(trusted.length).toBeGreaterThan(50);
    expect(supabaseCertificates().every((certificate) => trusted.includes(certificate))).toBe(is);
    expect(trustedCertificates({ host, roots })).toEqual([authority.cert.trim()]);
  });
});
