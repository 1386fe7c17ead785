/** What the command refuses before it calls anybody, and what it says then. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readEnvironment } from '../../scripts/command/environment.ts';
import { keyKind } from '../../scripts/command/keys.ts';
import { chooseTarget } from '../../scripts/command/target.ts';
import { UsageError } from '../../scripts/command/usage.ts';
import { parseOptions } from '../../scripts/migrate/options.ts';

const options = (...argv: string[]) => parseOptions(argv, 'npm run migrate');

/** A key as older projects have them; nobody verifies the signature before a call. */
function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}.signature`;
}

describe('options of npm run migrate', () => {
  test('without any: migrate, with a journal, the plan avatars', () => {
    expect(options()).toEqual({
      action: 'migrate',
      plan: 'avatars',
      dryRun: 'sample',
      backup: true,
      force: false,
      reset: false,
      json: false,
      viaFunction: false,
      yes: false,
      verbose: false,
    });
  });

  test.each([
    [['--stats-only'], 'stats'],
    [['--rollback'], 'rollback'],
    [['--rollback', '--user', '7b4e1c3e-0000-4000-8000-000000000001'], 'rollback-user'],
    [['--pause'], 'pause'],
    [['--resume'], 'resume'],
    [['--cancel'], 'cancel'],
    [['--retry-failed'], 'retry-failed'],
    [['--watch'], 'watch'],
    [['--dry-run'], 'dry-run'],
  ])('%j mean the action %s', (argv, action) => {
    expect(options(...argv).action).toBe(action);
  });

  test('--dry-run takes a mode: sample if none, full, preflight', () => {
    expect(options('--dry-run').dryRun).toBe('sample');
    expect(options('--dry-run=full').dryRun).toBe('full');
    expect(options('--dry-run=preflight').dryRun).toBe('preflight');
  });

  test('with values are read with their values', () => {
    const parsed = options(
      ...['--batch-size', '500', '--workers', '3', '--max-failures', '2%', '--on-failure', 'rollback'],
      ...['--no-backup', '--sample', '50', '--reset', '--dump', 'file.dump', '--max-ms', '1500'],
    );
    expect(parsed).toMatchObject({
      batchSize: 500,
      workers: 3,
      maxFailures: '2%',
      onFailure: 'rollback',
      backup: false,
      sample: 50,
      reset: true,
      dump: 'file.dump',
      maxMs: 1500,
    });
  });

  test.each([
    [['--nonsense'], 'unknown option'],
    [['extra'], 'too many arguments'],
    [['--batch-size', '0'], 'from 1 to 10,000'],
    [['--batch-size', '10001'], 'from 1 to 10,000'],
    [['--batch-size', '1e3'], 'from 1 to 10,000'],
    [['--workers', '0'], 'from 1 to 64'],
    [['--workers', 'two'], 'from 1 to 64'],
    [['--max-failures', 'some'], 'a percentage, like 2%'],
    [['--max-failures', '101%'], 'a percentage, like 2%'],
    [['--on-failure', 'ignore'], 'stop, rollback'],
    [['--dry-run=half'], 'sample, full, preflight'],
    [['--rollback', '--user', 'ada'], 'a UUID'],
    [['--user', '7b4e1c3e-0000-4000-8000-000000000001'], 'needs --rollback'],
    [['--plan', 'other', '--rollback', '--user', '7b4e1c3e-0000-4000-8000-000000000001'], 'plan avatars'],
    [['--force'], '--force belongs to --rollback'],
    [['--pause', '--resume'], 'exclude each other'],
    [['--stats-only', '--rollback'], 'exclude each other'],
    [['--stats-only', '--reset'], 'cannot be combined'],
    [['--stats-only', '--sample', '5'], 'cannot be combined'],
    [['--rollback', '--no-backup'], 'cannot be combined'],
    [['--rollback', '--dry-run'], 'exclude each other'],
    [['--watch', '--workers', '2'], 'cannot be combined'],
    [['--plan', ''], 'plan'],
  ])('%j are refused: %s', (argv, says) => {
    expect(() => options(...argv)).toThrow(UsageError);
    expect(() => options(...argv)).toThrow(says);
  });
});

describe('the environment', () => {
  async function envFile(text: string): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-env-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(path.join(folder, '.env'), text);
    return path.join(folder, '.env');
  }

  test('.env fills what the real environment leaves open', async () => {
    const file = await envFile('SUPABASE_URL=https://file.example\nMIGRATION_BATCH_SIZE=250\n');
    expect(readEnvironment({ SUPABASE_URL: 'https://real.example' }, file)).toMatchObject({
      SUPABASE_URL: 'https://real.example',
      MIGRATION_BATCH_SIZE: 250,
    });
  });

  test('an empty variable unsets what .env says', async () => {
    const file = await envFile('SUPABASE_URL=https://file.example\n');
    expect(readEnvironment({ SUPABASE_URL: '' }, file).SUPABASE_URL).toBeUndefined();
  });

  test.each([
    [{ MIGRATION_BATCH_SIZE: '0' }, 'MIGRATION_BATCH_SIZE must be at least 1'],
    [{ MIGRATION_BATCH_SIZE: 'many' }, 'MIGRATION_BATCH_SIZE must be a number'],
    [{ MIGRATION_LOG_LEVEL: 'loud' }, 'MIGRATION_LOG_LEVEL must be one of debug, info, warn, error'],
  ])('%j is refused: %s', (real, says) => {
    expect(() => readEnvironment(real, '/nowhere/.env')).toThrow(says);
  });
});

describe('the key of a project', () => {
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;

  test.each([
    ['that begins with sb_secret_', 'secret', 'sb_secret_abc'],
    ['that begins with sb_publishable_', 'publishable', 'sb_publishable_abc'],
    ['that begins with sbp_', 'access-token', 'sbp_0123'],
    ['with the role service_role', 'secret', jwt({ role: 'service_role', exp: inAnHour })],
    ['with the role anon', 'publishable', jwt({ role: 'anon', exp: inAnHour })],
    ['with the role authenticated', 'user', jwt({ role: 'authenticated', exp: inAnHour })],
    ['with the role service_role and a time that is over', 'expired', jwt({ role: 'service_role', exp: 1 })],
    ['of three parts that are no JSON', 'unknown', 'a.b.c'],
    ['in words', 'unknown', 'of my own making'],
  ])('%s is of the kind %s', (_, kind, key) => {
    expect(keyKind(key)).toBe(kind);
  });

  const url = 'https://abcdefghijklmnopqrst.supabase.co';
  const target = (environment: Record<string, string>) =>
    chooseTarget(readEnvironment(environment, '/nowhere/.env'), options());

  test.each([
    'http://abcdefghijklmnopqrst.supabase.co',
    'http://10.0.0.1:8000',
    'http://0.0.0.0:8000',
    'http://host.docker.internal:8000',
    'http://localhost.example.test',
    'http://localhost.:8000',
    'http://127.0.0.1.example.test',
    'http://[2001:db8::1]:8000',
    'http://[::ffff:10.0.0.1]:8000',
    'HTTP://PROJECT.EXAMPLE.TEST',
  ])('is not sent in the clear: a SUPABASE_URL %s is refused', (SUPABASE_URL) => {
    expect(() => target({ SUPABASE_URL, SUPABASE_SECRET_KEY: 'sb_secret_a' })).toThrow('readable on the way');
  });

  test.each([
    'http://localhost:54321',
    'http://127.0.0.1:54321',
    'http://127.0.0.53',
    'http://127.1',
    'http://0x7f000001',
    'http://[::1]:54321',
    'http://[::ffff:127.0.0.1]:54321',
    'https://project.example.test',
  ])('may be sent to SUPABASE_URL %s: it is on this machine, or encrypted', (SUPABASE_URL) => {
    expect(target({ SUPABASE_URL, SUPABASE_SECRET_KEY: 'sb_secret_a' })).toMatchObject({ kind: 'project' });
  });

  test('is not needed without SUPABASE_URL: the target is the embedded database', () => {
    expect(target({})).toEqual({ kind: 'embedded' });
  });

  test('is read under either name, SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY', () => {
    expect(target({ SUPABASE_URL: url, SUPABASE_SECRET_KEY: 'sb_secret_a' })).toMatchObject({
      kind: 'project',
      secretKey: 'sb_secret_a',
    });
    expect(target({ SUPABASE_URL: `${url}/`, SUPABASE_SERVICE_ROLE_KEY: 'sb_secret_b' })).toMatchObject({
      url,
      secretKey: 'sb_secret_b',
    });
  });

  test.each([
    ['is missing', 'no secret key', { SUPABASE_URL: url }],
    ['is that of anon', 'It is public', { SUPABASE_URL: url, SUPABASE_ANON_KEY: jwt({ role: 'anon' }) }],
    ['is publishable', 'It is public', { SUPABASE_URL: url, SUPABASE_SECRET_KEY: 'sb_publishable_a' }],
    [
      'has the role anon',
      'It is public',
      { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: jwt({ role: 'anon' }) },
    ],
    [
      'is the token of a user',
      'signed-in user',
      { SUPABASE_URL: url, SUPABASE_SECRET_KEY: jwt({ role: 'authenticated' }) },
    ],
    [
      'stands beside the URL of a database',
      'database URL',
      { SUPABASE_URL: 'postgresql://u:p@h/db', SUPABASE_SECRET_KEY: 'x' },
    ],
    [
      'stands beside the URL of the dashboard',
      'dashboard',
      { SUPABASE_URL: 'https://supabase.com/dashboard/project/x', SUPABASE_SECRET_KEY: 'x' },
    ],
    [
      'stands beside a URL of another kind',
      'must start with https://',
      { SUPABASE_URL: 'ftp://127.0.0.1', SUPABASE_SECRET_KEY: 'x' },
    ],
    [
      'stands beside a DATABASE_URL of several hosts',
      'several hosts',
      { SUPABASE_URL: url, SUPABASE_SECRET_KEY: 'sb_secret_a', DATABASE_URL: 'postgresql://a,b/db' },
    ],
    [
      'stands beside certificates that are not there',
      '/none',
      {
        SUPABASE_URL: url,
        SUPABASE_SECRET_KEY: 'sb_secret_a',
        DATABASE_URL: 'postgresql://h/db',
        PGSSLROOTCERT: '/none',
      },
    ],
    ['stands beside what is no URL', 'not a URL', { SUPABASE_URL: 'project', SUPABASE_SECRET_KEY: 'x' }],
  ])('that %s is refused: %s', (_, says, environment) => {
    expect(() => target(environment as Record<string, string>)).toThrow(says);
  });
});
