/** What Imago's triggers cost the writes of the app: `node bench/app-writes.ts` prints a table. On Linux only. */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';
import { connect } from '../scripts/embedded/cluster.ts';
import { copyTemplate, createTemplate, dropDatabase, startServer } from './server.ts';

const users = 5_000;
const rounds = 300;

/** What an app writes; $1 is the number of the round. */
const writes: { name: string; statement: string; every: number }[] = [
  {
    name: 'insert one post',
    statement: `insert into public.posts (user_id, body) select id, 'new' from public.users where id = md5('user ' || (1 + $1::int % ${users}))::uuid`,
    every: 1,
  },
  {
    name: 'update the body of one post',
    statement: `update public.posts set body = 'edited' where id = (
      select id from public.posts where user_id = md5('user ' || (1 + $1::int % ${users}))::uuid limit 1)`,
    every: 1,
  },
  {
    name: 'insert one user',
    statement: `insert into public.users (username, display_name) values ('new', 'New ' || $1::int)`,
    every: 1,
  },
  {
    name: 'insert 1,000 posts in one statement',
    statement: `insert into public.posts (user_id, body)
      select md5('user ' || (1 + (n + 1000 * $1::int) % ${users}))::uuid, 'new' from generate_series(1, 1000) n`,
    every: 30,
  },
];

/** Hundredths of a second, as Linux counts. */
async function processorTicks(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/**
 * Milliseconds of the processor that a write takes in the server, on average: what else the machine does matters less to
 * it than to the time that passes.
 */
async function measured(sql: Sql, pid: number, write: (typeof writes)[number]): Promise<number> {
  const before = await processorTicks(pid);
  for (let round = 0; round < rounds; round += write.every) {
    await sql.unsafe(write.statement, [round], { prepare: true });
  }
  return ((await processorTicks(pid)) - before) * 10 * (write.every / rounds);
}

async function migrate(sql: Sql): Promise<void> {
  for (;;) {
    const [row] = await sql<
      { more: boolean }[]
    >`select (public.migrate_batch() ->> 'has_more')::boolean as more`;
    if (!row?.more) return;
  }
}

const server = await startServer();
try {
  const template = await createTemplate(server, users);
  // In turn, so that what else the machine does spreads over all.
  const states = [
    { name: 'without Imago', imago: false, run: false },
    { name: 'prepared', imago: true, run: false },
    { name: 'migrated, with sync', imago: true, run: true },
  ];
  const databases = await Promise.all(
    states.map(async (state) => {
      const name = await copyTemplate(server, template, state.imago);
      const sql = connect(server.cluster, 'postgres', name);
      if (state.run) await migrate(sql);
      const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
      return { name, sql, pid: row?.pid ?? 0 };
    }),
  );
  process.stdout.write(`| write | ${states.map((state) => `${state.name}, ms`).join(' | ')} | ratio |\n`);
  process.stdout.write(`| --- | ${states.map(() => '---').join(' | ')} | --- |\n`);
  for (const write of writes) {
    const best = states.map(() => Number.POSITIVE_INFINITY);
    for (let turn = 0; turn < 3; turn += 1) {
      for (const [i, { sql, pid }] of databases.entries()) {
        best[i] = Math.min(best[i] ?? 0, await measured(sql, pid, write));
      }
    }
    const [bare = 0, , synced = 0] = best;
    process.stdout.write(
      `| ${write.name} | ${best.map((ms) => ms.toFixed(2)).join(' | ')} | ${(synced / bare).toFixed(2)} |\n`,
    );
  }
  for (const { name, sql } of databases) {
    await sql.end();
    await dropDatabase(server, name);
  }
} finally {
  await server.remove();
}
