/** The app that is alive meanwhile: pgbench at a fixed rate on the tables that the plan writes. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Writers } from './options.ts';

const execute = promisify(execFile);

/** How pgbench chooses a user: Zipf with this exponent writes the first of 100,000 in one of twelve transactions. */
const chosen: Record<Writers, (users: number) => string> = {
  uniform: (users) => `random(1, ${users})`,
  zipf: (users) => `random_zipfian(1, ${users}, 1.001)`,
};

/** Reads a profile with its last posts; three times in ten it posts, twice it edits the profile, once a post. */
const script = (users: number, writers: Writers) => String.raw`
\set u ${chosen[writers](users)}
\set k random(1, 5)
\set r random(1, 10)
select id, username, display_name from public.users where id = md5('user ' || :u)::uuid;
select id, body from public.posts where user_id = md5('user ' || :u)::uuid order by created_at desc limit 10;
\if :r <= 3
insert into public.posts (user_id, body) values (md5('user ' || :u)::uuid, 'a new post');
\elif :r <= 5
update public.users set bio = 'changed ' || :k where id = md5('user ' || :u)::uuid;
\elif :r <= 6
update public.posts set body = 'edited ' || :k where id = md5('post ' || :u || ' ' || :k)::uuid;
\endif
`;

export interface App {
  pgbench: string;
  url: string;
  users: number;
  writers: Writers;
  /** Transactions a second. */
  rate: number;
  /** Not measured: its sessions read the catalogue and plan their statements, once. */
  warmUpSeconds: number;
  seconds: number;
}

/** Where pgbench is; undefined where it is not installed. */
export async function findPgbench(): Promise<string | undefined> {
  return await execute('pgbench', ['--version']).then(
    () => 'pgbench',
    () => undefined,
  );
}

/** Runs the app for a while; milliseconds from the moment at which each transaction was due, sorted. */
export async function runApp({
  pgbench,
  url,
  users,
  writers,
  rate,
  warmUpSeconds,
  seconds,
}: App): Promise<number[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-app-'));
  try {
    await writeFile(path.join(folder, 'app.sql'), script(users, writers));
    await execute(
      pgbench,
      [
        ...['--no-vacuum', '--client=8', '--jobs=1', `--rate=${rate}`, `--time=${warmUpSeconds + seconds}`],
        ...['--log', '--log-prefix=log', '--file=app.sql', url],
      ],
      { cwd: folder },
    );
    const logs = (await readdir(folder)).filter((name) => name.startsWith('log'));
    const texts = await Promise.all(logs.map((name) => readFile(path.join(folder, name), 'utf8')));
    // Fields: client, transaction, microseconds since it was due, script, seconds and microseconds of the clock at its end, …
    const transactions = texts
      .flatMap((text) => text.trim().split('\n'))
      .map((line) => line.split(' ').map(Number))
      .map(([, , us = 0, , s = 0, sUs = 0]) => ({ ms: us / 1000, endedAt: s + sUs / 1e6 }));
    const began = Math.min(...transactions.map(({ endedAt }) => endedAt));
    return transactions
      .filter(({ endedAt }) => endedAt - began > warmUpSeconds)
      .map(({ ms }) => ms)
      .toSorted((one, other) => one - other);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
