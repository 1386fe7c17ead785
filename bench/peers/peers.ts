/** The peers that Imago is compared with, and how each is started. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { project } from '../children.ts';
import { pageBack, pageThere } from './sql.ts';

export type PeerKey = 'imago' | 'transaction' | 'sql' | 'js' | 'alembic' | 'django';
export type Direction = 'there' | 'back';

export interface Start {
  file: string;
  args: string[];
  env?: Record<string, string>;
}

export interface Peer {
  key: PeerKey;
  title: string;
  /** Comes in through the Data API. */
  overHttp?: boolean;
  /** Python modules of Debian packages that it needs. */
  needs?: { modules: string; packages: string };
  start(direction: Direction, url: string): Start;
}

/** The Python that Debian's packages are for. */
const python = '/usr/bin/python3';

const own = (key: PeerKey, title: string, overHttp = false): Peer => ({
  ...{ key, title, overHttp },
  start: (direction, url) => ({ file: process.execPath, args: ['bench/peers/work.ts', key, direction, url] }),
});

export const peers: readonly Peer[] = [
  own('imago', 'Imago'),
  own('transaction', 'one big transaction'),
  own('sql', 'a loop in SQL, 1,000 a page'),
  own('js', 'a loop with supabase-js', true),
  {
    key: 'alembic',
    title: 'Alembic, the same loop',
    needs: { modules: 'alembic, psycopg2', packages: 'alembic python3-psycopg2' },
    start: (direction, url) => ({
      file: python,
      args: [
        ...['-m', 'alembic', '-c', 'bench/peers/alembic/alembic.ini', '-x', `url=${url}`],
        ...(direction === 'there' ? ['upgrade', 'head'] : ['downgrade', 'base']),
      ],
      env: { BENCH_STATEMENTS: JSON.stringify({ there: pageThere, back: pageBack }) },
    }),
  },
  {
    key: 'django',
    title: 'Django, RunPython in chunks',
    needs: { modules: 'django, psycopg2', packages: 'python3-django python3-psycopg2' },
    start: (direction, url) => ({
      file: python,
      args: [
        'bench/peers/django/manage.py',
        'migrate',
        'avatars',
        ...(direction === 'there' ? [] : ['zero']),
      ],
      env: { BENCH_DATABASE_URL: url },
    }),
  },
];

/** What is compared elsewhere in words, and cannot be run here. */
export const leftOut = [
  ['E-Maj', 'neither a Debian package nor on npm'],
  ['pgVolvra', 'neither a Debian package nor on npm'],
  ['online_migrations', 'a Ruby gem; Debian has no package of it'],
  [
    'pg_partman',
    'moves rows between a table and its partitions only, and Debian has it for its own PostgreSQL',
  ],
] as const;

/** Why a peer cannot be run on this machine; undefined where it can. */
export async function missing({ needs }: Peer): Promise<string | undefined> {
  if (!needs) return undefined;
  return await promisify(execFile)(python, ['-c', `import ${needs.modules}`], { cwd: project }).then(
    () => undefined,
    () => `on Debian: apt-get install ${needs.packages}`,
  );
}

/** Versions of what the peers of Python are made of. */
export async function versions(): Promise<string> {
  const text =
    'import alembic, django, sys; print(f"Python {sys.version.split()[0]}, Alembic {alembic.__version__}, Django {django.__version__}")';
  return await promisify(execFile)(python, ['-c', text]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  );
}
