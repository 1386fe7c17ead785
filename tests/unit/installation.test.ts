/** The folder of PostgreSQL with hosted Supabase's extensions: where it goes, and who may read it. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const places = vi.hoisted(() => ({ root: '', native: '' }));

vi.mock('../../scripts/embedded/account.ts', async (original) => ({
  ...(await original<object>()),
  get ROOT_HOME() {
    return path.join(places.root, 'of-root');
  },
}));

vi.mock('../../scripts/embedded/native.ts', () => ({ nativeFolder: async () => places.native }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>();
  return { ...real, mkdtemp: vi.fn(real.mkdtemp) };
});

const { installation } = await import('../../scripts/embedded/installation.ts');

beforeEach(async () => {
  places.root = mkdtempSync(path.join(tmpdir(), 'imago-installation-'));
  places.native = path.join(places.root, 'package', 'native');
  const extensions = path.join(places.native, 'share', 'postgresql', 'extension');
  for (const folder of ['bin', 'lib'])
    await files.mkdir(path.join(places.native, folder), { recursive: true });
  await files.mkdir(extensions, { recursive: true });
  await files.writeFile(path.join(extensions, 'refint.control'), "default_version = '1.0'\n");
  vi.stubEnv('XDG_CACHE_HOME', path.join(places.root, 'cache'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(places.root, { recursive: true, force: true });
});

test.each([
  ['beside the package', undefined, 'package', false],
  ['in the cache of an ordinary user who cannot write there', undefined, path.join('cache', 'imago'), true],
  [
    'where the account of the server can read it when root cannot write there',
    { uid: 65_534, gid: 65_534 },
    'of-root',
    true,
  ],
])('the extensions are %s', async (_, account, where, isReadOnly) => {
  if (isReadOnly)
    vi.mocked(files.mkdtemp).mockRejectedValueOnce(Object.assign(new Error(), { code: 'EROFS' }));
  expect(path.dirname(await installation(17, account))).toBe(path.join(places.root, where));
});

test.skipIf(process.platform === 'win32')(
  'all accounts may read the extensions, whatever the umask',
  async () => {
    const before = process.umask(0o077);
    try {
      const folder = await installation(17, undefined);
      const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      expect(entries).toContain(path.join('share', 'postgresql', 'extension', 'pg_net.control'));
      const closed = ['', ...entries].filter((entry) => {
        const info = statSync(path.join(folder, entry));
        return (info.mode & (info.isDirectory() ? 0o005 : 0o004)) === 0;
      });
      expect(closed).toEqual([]);
    } finally {
      process.umask(before);
    }
  },
);

test('a new one takes away those of versions that nobody has started for three months, and nothing else', async () => {
  vi.mocked(files.mkdtemp).mockRejectedValueOnce(Object.assign(new Error(), { code: 'EROFS' }));
  const cache = path.join(places.root, 'cache', 'imago');
  const old = [
    'native-supabase-0123456789ab',
    'native-supabase-0123456789ab-x1Y2z3',
    'postgres-17-0123456789ab',
    'postgres-17-0123456789ab-supabase-0123456789ab',
  ];
  const kept = ['native-supabase-ba9876543210', '01ae6e8149781074', 'native-supabase-mine'];
  for (const name of [...old, ...kept]) await files.mkdir(path.join(cache, name, 'bin'), { recursive: true });
  const before = new Date(Date.now() - 91 * 24 * 3_600_000);
  for (const name of [...old, ...kept.slice(1)]) await files.utimes(path.join(cache, name), before, before);
  const folder = await installation(17, undefined);
  expect(readdirSync(cache).sort()).toEqual([path.basename(folder), ...kept].sort());
});

test('one that is started from counts as used', async () => {
  const folder = await installation(17, undefined);
  const before = new Date(Date.now() - 91 * 24 * 3_600_000);
  await files.utimes(folder, before, before);
  await installation(17, undefined);
  expect(statSync(folder).mtimeMs).toBeGreaterThan(Date.now() - 3_600_000);
});
