/** What the command refuses before it calls anybody, and what it says then. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectPlaces, readEnvironment } from '../../scripts/command/environment.ts';
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
    [['--hours', ''], '--hours is given without a value'],
    [['--hours='], '--hours is given without a value'],
    [['--ignore-signal', ''], '--ignore-signal is given without a value'],
    [['--max-per-second', '0'], 'from 1 to'],
    [['--hours', '22:00-06:00', '--hours', '23:00-06:00'], '--hours is given twice'],
    [['--stats-only', '--hours', '22:00-06:00'], 'cannot be combined'],
    [['--dry-run', '--max-per-second', '5'], 'cannot be combined'],
    [['--nonsense'], 'unknown option'],
    [['extra'], 'too many arguments'],
    [['--batch-size', '0'], 'from 1 to 10,000'],
    [['--batch-size', '10001'], 'from 1 to 10,000'],
    [['--batch-size', '1e3'], 'from 1 to 10,000'],
    [['--workers', '0'], 'from 1 to 64'],
    [['--workers', 'two'], 'from 1 to 64'],
    [['--max-failures', 'some'], 'a percentage, like 2%'],
    [['--max-failures', '101%'], 'a percentage, like 2%'],
    [['--percent', '0'], 'a percentage, like 10'],
    [['--percent', '100.1'], 'a percentage, like 10'],
    [['--cohort', "x' or true"], 'the name of a cohort'],
    [['--rollback', '--percent', '10'], '--percent cannot be combined with --rollback'],
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
    [['--plan', ''], '--plan is given without a value'],
    [['--plan='], '--plan is given without a value'],
    [['--workers='], '--workers is given without a value'],
    [['--dump', ' '], '--dump is given without a value'],
    [['--rollback', '--user', ''], '--user is given without a value'],
    [['--rollback', '--user='], '--user is given without a value'],
    [['--dry-run='], '--dry-run is given without a value'],
    [[''], 'An argument is empty'],
    [['--plan', '--dry-run'], '--dry-run behind it looks like an option'],
    [['--dump', '--dry-run'], '--dry-run behind it looks like an option'],
    [['--dump', '-y'], '-y behind it looks like an option'],
    [['--plan', 'one', '--plan', 'two'], '--plan is given twice'],
    [['--dry-run', '--dry-run=full'], '--dry-run is given twice'],
    [['--', '--dry-run'], '--dry-run stands behind --'],
    [['dry-run'], 'too many arguments: dry-run'],
    [['-dry-run'], "unknown option '-dry-run'"],
    [['--dryRun'], "unknown option '--dryRun'"],
    [['--dryRun'], '(Did you mean --dry-run?)'],
    [[' --dry-run'], 'begins with a blank'],
    [['--dry-run=false'], 'sample, full, preflight'],
    [['--stats-only=false'], 'takes no value'],
    ...['–', '—', '−', '‑', '––', '\u00a0—', '\u200b--', '\ufeff-'].map((dash) => {
      return [[`${dash}dry-run`], 'begins with a dash that is no hyphen'] as [string[], string];
    }),
    ...['1e9', '0x10', ' 5', '-1', '5s', '+5', '1_000', '٣', '5.0'].flatMap((n): [string[], string][] => [
      [[`--workers=${n}`], 'from 1 to 64'],
      [['--workers', n], 'from 1 to 64'],
      [['--sample', n], 'from 0 to'],
    ]),
  ])('%j are refused: %s', (argv, says) => {
    expect(() => options(...argv)).toThrow(UsageError);
    expect(() => options(...argv)).toThrow(says);
    // On one line: a terminal is given no line end of a message.
    expect(() => options(...argv)).not.toThrow('\n');
  });
});

describe('limits of runs', () => {
  const typed = ['--hours', '22:00-06:00', '--max-per-second', '800', '--throttle-query', 'select false'];
  const signals = ['--ignore-signal', 'vacuum', '--ignore-signal=wal'];
  const throttle = (...argv: string[]) => parseOptions(argv, 'imago throttle', 'throttle');

  test.each([[[]], [['--rollback']], [['--resume']], [['--retry-failed']]])(
    'are options of npm run migrate %j, a signal as often as there are some',
    (action) => {
      expect(options(...action, ...typed, ...signals)).toMatchObject({
        hours: '22:00-06:00',
        maxPerSecond: 800,
        throttleQuery: 'select false',
        ignoreSignal: ['vacuum', 'wal'],
      });
    },
  );

  test('are taken back in imago throttle by an empty value, where a run refuses one as lost', () => {
    expect(throttle()).not.toHaveProperty('hours');
    const empty = { hours: '', maxPerSecond: 0, throttleQuery: '', ignoreSignal: [] };
    expect(
      throttle('--hours', '', '--max-per-second', '', '--throttle-query', '', '--ignore-signal', ''),
    ).toMatchObject(empty);
    expect(
      throttle('--hours=', '--max-per-second=0', '--throttle-query=', '--ignore-signal=', '--plan', 'x'),
    ).toMatchObject({ ...empty, plan: 'x' });
    for (const argv of [
      ['--hours', ' '],
      ['--plan', ''],
      ['--hours', '--yes'],
      ['--max-per-second', '-1'],
    ]) {
      expect(() => throttle(...argv)).toThrow(UsageError);
    }
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

  test.each([
    'SUPABASE_URL',
    'DATABASE_URL',
    'MIGRATION_BATCH_SIZE',
    'MIGRATION_LOG_LEVEL',
    'PGSSLROOTCERT',
    'PG_DUMP',
  ])(
    '%s that is set and empty is refused, there and in .env, and not taken for the default',
    async (name) => {
      const file = await envFile('SUPABASE_URL=https://file.example\n');
      for (const value of ['', '  ', '\t']) {
        expect(() => readEnvironment({ [name]: value }, file)).toThrow(
          `${name} is set, but empty (the environment)`,
        );
      }
      for (const line of [`${name}=`, `${name}=""`, `${name} = ' '`, `export ${name}= # none`]) {
        const written = await envFile(`# remark\n${line}\n`);
        expect(() => readEnvironment({}, written)).toThrow(`${name} is set, but empty (${written}, line 2)`);
      }
    },
  );

  test('an empty key is none, so that the other name of it counts', () => {
    const real = { SUPABASE_SECRET_KEY: '', SUPABASE_SERVICE_ROLE_KEY: 'key' };
    expect(readEnvironment(real, '/nowhere/.env').SUPABASE_SECRET_KEY).toBeUndefined();
  });

  test('IMAGO_ENV_FILE names another file, which has to be there', async () => {
    const file = await envFile('SUPABASE_URL=https://other.example\n');
    expect(readEnvironment({ IMAGO_ENV_FILE: file }, '/nowhere/.env').SUPABASE_URL).toBe(
      'https://other.example',
    );
    expect(() => readEnvironment({ IMAGO_ENV_FILE: '/nowhere/else' })).toThrow('ENOENT');
    expect(() => expectPlaces({ IMAGO_ENV_FILE: '' })).toThrow('IMAGO_ENV_FILE is set, but empty');
    expect(() => expectPlaces({ IMAGO_FOLDER: ' ' })).toThrow('IMAGO_FOLDER is set, but empty');
    expect(() => expectPlaces({ IMAGO_FOLDER: ' /data' })).toThrow(
      'IMAGO_FOLDER begins or ends with a blank',
    );
  });

  const url = 'https://x.example';
  test.each([
    `SUPABASE_URL=${url}`,
    `SUPABASE_URL = ${url}`,
    `SUPABASE_URL= ${url}  `,
    `  export  SUPABASE_URL =${url}`,
    `SUPABASE_URL="${url}"`,
    `SUPABASE_URL = '${url}'   # the project`,
    `SUPABASE_URL=${url} # the project`,
    `SUPABASE_URL=${url}\r\nPG_DUMP=x\r\n`,
    `\uFEFFSUPABASE_URL=${url}`,
    `SUPABASE_URL=${url}\rPG_DUMP=x`,
    `OTHER="of\nseveral # lines\n"\nSUPABASE_URL=${url}`,
    `OTHER='{"a": "b"}'\nOTHER=2\n\n\t\n  # it's a remark\nSUPABASE_URL=${url}`,
    `SUPABASE_URL=${url}\nSUPABASE_URL="${url}"`,
  ])('.env with %j is read', async (text) => {
    expect(readEnvironment({}, await envFile(text)).SUPABASE_URL).toBe(url);
  });

  test('.env gives a password whole that has a # or a quote in quotes', async () => {
    const file = await envFile(`DATABASE_URL='postgresql://u:a#b"c@h/db'\nPG_DUMP="a\\"b#"\n`);
    expect(readEnvironment({}, file).DATABASE_URL).toBe('postgresql://u:a#b"c@h/db');
  });

  test.each([
    [1, `SUPABASE_URL: ${url}`],
    [2, `PG_DUMP=x\nSUPABASE_URL`],
    [1, `set SUPABASE_URL=${url}`],
    [1, `$env:SUPABASE_URL = "${url}"`],
    [1, `SUPABASE_URL="${url}`],
    [1, `SUPABASE_URL="${url}" and more`],
    [1, `SUPABASE_URL=“${url}`.replace('SUPABASE_URL', 'SUPABASE_URL\u00a0')],
    [4, `OTHER="of\nseveral"\n\n= ${url}`],
    [1, 'DATABASE_URL=postgresql://u:a#b@h/db'],
    [1, '{"SUPABASE_URL": "x"}'],
    [1, Buffer.from(`\uFEFFSUPABASE_URL=${url}`, 'utf16le').toString('latin1')],
    [2, `SUPABASE_URL=${url}\nSUPABASE_URL=https://y.example`],
    [2, `PG_DUMP=x\nSupabase_Url=${url}`],
    [1, 'IMAGO_FOLDER=/elsewhere'],
  ])('.env is refused with its line %i: %j', async (line, text) => {
    const file = await envFile(text);
    expect(() => readEnvironment({}, file)).toThrow(`${file}, line ${line}`);
  });

  test.each<[NodeJS.ProcessEnv, string]>([
    ...['0', '10001', 'many', '1e3', '0x10', ' 5', '-1', '5s', '1.5', '1,000'].map(
      (size): [NodeJS.ProcessEnv, string] => [
        { MIGRATION_BATCH_SIZE: size },
        'MIGRATION_BATCH_SIZE must be a whole number from 1 to 10,000',
      ],
    ),
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
    ['stands alone', 'SUPABASE_URL is not', { SUPABASE_SECRET_KEY: 'sb_secret_a' }],
    [
      'stands alone under its other name',
      'SUPABASE_URL is not',
      { SUPABASE_SERVICE_ROLE_KEY: 'sb_secret_a' },
    ],
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
