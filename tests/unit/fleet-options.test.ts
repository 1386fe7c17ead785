/** What is typed after `imago fleet`, and files of members: what is read, and what is refused before anything is asked. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import { controlUrl, type FleetEnvironment } from '../../scripts/fleet/environment.ts';
import { readImport } from '../../scripts/fleet/import.ts';
import { parseOptions } from '../../scripts/fleet/options.ts';

const parsed = (...argv: string[]) => parseOptions(argv, 'imago fleet');

test('a run with waves, caps and a budget', () => {
  const line =
    'run avatars --wave canary,10%,100% --soak 15m --per-server 3 --stop-when 2% --workers 4 --batch-size 50';
  expect(parsed(...line.split(' '))).toMatchObject({
    command: 'run',
    dryRun: false,
    local: { workers: 4, slots: 4 },
    wish: {
      kind: 'migrate',
      plan: 'avatars',
      waves: ['canary', '10%', '100%'],
      soakSeconds: 900,
      perServer: 3,
      stopPercent: 2,
      run: { batch_size: 50 },
    },
  });
});

test.each([
  [
    ['add', 'x', '--database-url-env', 'postgresql://u:secret-in-line@h/d'],
    'A secret stands where its place',
  ],
  [['add', 'x', '--project-url', 'http://example.com', '--key-env', 'KEY'], 'must begin with https://'],
  [['add', 'x', '--project-url', 'https://u:secret-in-line@x.co', '--key-env', 'KEY'], 'neither credentials'],
  [['add', 'x', '--project-url', 'https://x.co'], 'It is not said where the secret of x lies'],
  [['add', 'x', '--database-url-env', 'A', '--database-url-file', '/b'], 'several places'],
  [['add', 'x', '--database-url-file', 'b'], 'Name it from the root'],
  [['add', '-x', '--database-url-env', 'A'], "unknown option '-x'"],
  [['add', 'x y', '--database-url-env', 'A'], 'cannot be the name of a member'],
  [['run', '--wave', '50%,10%'], 'must grow'],
  [['run', '--wave', '10%,canary,10%'], 'twice'],
  [['run', '--wave', 'Canary'], 'neither a name nor a percentage'],
  [['run', '--soak', 'long'], 'It must be a period'],
  [['run', '--stop-when', '101%'], 'It must be a percentage'],
  [['run', '--detach', '--workers', '2'], 'exclude each other'],
  [['rollback', '--batch-size', '5'], "unknown option '--batch-size'"],
  [['import'], 'Name a file, or say --from-projects'],
  [['import', '--from-projects'], '--key-env-of'],
  [['nonsense'], "unknown command 'nonsense'"],
  [[], 'A command is missing'],
])('%j is refused', (argv, says) => {
  let error: unknown;
  try {
    parsed(...argv);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(UsageError);
  const { message, hint } = error as UsageError;
  expect(`${message} ${hint}`).toContain(says);
  expect(`${message} ${hint}`).not.toContain('secret-in-line');
});

test.each([
  ['postgresql://u:p@db.example.com:6543/postgres', 'pooler of transactions'],
  [undefined, 'npm run fleet:demo'],
])('the control database %s is refused', (FLEET_DATABASE_URL, says) => {
  expect(() => controlUrl({ FLEET_DATABASE_URL } as FleetEnvironment)).toThrowError(UsageError);
  try {
    controlUrl({ FLEET_DATABASE_URL } as FleetEnvironment);
  } catch (error) {
    expect(`${(error as UsageError).message} ${(error as UsageError).hint}`).toContain(says);
  }
});

const imported = async (text: string) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'imago-fleet-import-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'members');
  writeFileSync(file, text);
  return await readImport({ from: 'file', file, marks: { label: ['all'] } }, {} as FleetEnvironment);
};

test('a file of members: quotes, blanks, several labels; the same as JSON', async () => {
  const members = await imported(
    '\uFEFFname,database_url_env,label,wave\r\nacme,ACME,"eu;gold",canary\r\n\r\n"beta",BETA,,\r\n',
  );
  expect(members).toMatchObject([
    { name: 'acme', secret_kind: 'env', secret_name: 'ACME', labels: ['all', 'eu', 'gold'], wave: 'canary' },
    { name: 'beta', labels: ['all'], wave: null },
  ]);
  expect(
    await imported(
      JSON.stringify([
        { name: 'acme', database_url_env: 'ACME', label: ['eu', 'gold'], wave: 'canary' },
        { name: 'beta', database_url_env: 'BETA' },
      ]),
    ),
  ).toEqual(members);
});

test.each([
  ['name,database_url_env\nacme\n', 'line 2 has 1 fields'],
  ['name,password\nacme,secret-in-file\n', 'there is no password'],
  ['database_url_env\nX\n', 'does not begin with a line of names'],
  ['name,database_url_env\n"acme,X\n', 'line 2 cannot be read'],
  ['[{"name": "acme", "database_url_env": 5}]', 'database_url_env is not a text'],
  ['name,database_url_env\nacme,postgresql://u:secret-in-file@h/d\n', 'line 2: A secret stands where'],
  ['name,database_url_env\n', 'has no members'],
])('the file %j is refused, with its line', async (text, says) => {
  const error = await imported(text).then(
    () => undefined,
    (thrown) => thrown as UsageError,
  );
  expect(error).toBeInstanceOf(UsageError);
  expect(error?.message).toContain(says);
  expect(`${error?.message} ${error?.hint}`).not.toContain('secret-in-file');
});
