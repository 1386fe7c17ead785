/**
 * What Imago's triggers cost the writes of the app: `node bench/app-writes.ts` prints a table, and which targets are
 * reached. On Linux only.
 */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';
import { connect } from '../scripts/embedded/cluster.ts';
import { copyTemplate, createTemplate, dropDatabase, startServer } from './server.ts';

const users = 5_000;
const turns = 5;

const user = (n: string) => `md5('user ' || (1 + (${n}) % ${users}))::uuid`;
/** A user and the next ones in no order, so that some are moved and some are not where half of them are. */
const anyUser = user('$1::int * 37');

interface Write {
  name: string;
  /** $1 is the number of the round. */
  statement: string;
  rounds: number;
  /** How many times as long it may take. */
  target?: number;
}

/** What an app writes: what the plan avatars follows, and what it does not. */
const writes: Write[] = [
  {
    name: 'insert one post',
    statement: `insert into public.posts (user_id, body) values (${anyUser}, 'new')`,
    rounds: 400,
    target: 2,
  },
  {
    name: 'insert 1,000 posts in one statement',
    statement: `insert into public.posts (user_id, body) select ${user('n + 1000 * $1::int')}, 'new' from generate_series(1, 1000) n`,
    rounds: 10,
    target: 2,
  },
  {
    name: 'insert one user, who gets an avatar',
    statement: `insert into public.users (username, display_name) values ('new', 'New ' || $1::int)`,
    rounds: 200,
  },
  {
    name: 'update the body of one post',
    statement: `update public.posts set body = 'edited' where id = md5('post ' || (1 + $1::int * 37 % ${users}) || ' 1')::uuid`,
    rounds: 400,
    target: 1.1,
  },
  {
    name: 'update the body of 1,000 posts in one statement',
    statement: `update public.posts set body = 'edited' || $1::int
      where id = any (array(select md5('post ' || i || ' 2')::uuid from generate_series(1, 1000) i))`,
    rounds: 10,
    target: 1.1,
  },
  {
    name: 'update the bio of one user',
    statement: `update public.users set bio = 'edited' where id = ${anyUser}`,
    rounds: 400,
    target: 1.1,
  },
  {
    name: 'insert one comment, on a table of which no plan knows',
    statement: `insert into public.comments (post_id, user_id, body)
      values (md5('post ' || (1 + $1::int * 37 % ${users}) || ' 1')::uuid, ${anyUser}, 'new')`,
    rounds: 400,
    target: 1.1,
  },
];

/** How far the plan is. */
const states: { name: string; imago: boolean; reach?(sql: Sql): Promise<void> }[] = [
  { name: 'without Imago', imago: false },
  { name: 'prepared', imago: true },
  {
    name: 'half-way',
    imago: true,
    async reach(sql) {
      for (;;) {
        await sql`select public.migrate_batch(batch_size => 200, max_ms => 200)`;
        const [row] = await sql<
          { moved: number }[]
        >`select count(active_avatar_id)::int as moved from public.users`;
        if ((row?.moved ?? 0) >= users / 2) return;
      }
    },
  },
  { name: 'migrated', imago: true, reach: (sql) => toTheEnd(sql, 'migrate_batch') },
  {
    name: 'rolled back',
    imago: true,
    async reach(sql) {
      await toTheEnd(sql, 'migrate_batch');
      await toTheEnd(sql, 'rollback_batch');
    },
  },
];

async function toTheEnd(sql: Sql, name: 'migrate_batch' | 'rollback_batch'): Promise<void> {
  for (;;) {
    const [row] = await sql.unsafe<{ more: boolean }[]>(
      `select (public.${name}() ->> 'has_more')::boolean as more`,
    );
    if (!row?.more) return;
  }
}

/** Milliseconds for which a process has had a processor. */
async function processorMs(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')[0]) / 1e6;
}

/** Milliseconds of one write, on average. */
interface Cost {
  /** Until the app has its answer. */
  passed: number;
  /** Of the processor in the server: what else the machine does matters less to it. */
  processor: number;
}

async function measured(sql: Sql, pid: number, write: Write, turn: number): Promise<Cost> {
  const before = await processorMs(pid);
  const began = performance.now();
  for (let round = 0; round < write.rounds; round += 1) {
    await sql.unsafe(write.statement, [turn * write.rounds + round], { prepare: true });
  }
  return {
    passed: (performance.now() - began) / write.rounds,
    processor: ((await processorMs(pid)) - before) / write.rounds,
  };
}

const server = await startServer();
try {
  const template = await createTemplate(server, users);
  // In turn, so that what else the machine does spreads over all.
  const databases: { name: string; sql: Sql; pid: number }[] = [];
  for (const state of states) {
    const name = await copyTemplate(server, template, state.imago);
    const sql = connect(server.cluster, 'postgres', name);
    await state.reach?.(sql);
    // Of the same age: what a table has been through decides on where its new rows lie.
    await sql`vacuum analyze public.users, public.posts, public.follows`;
    const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
    databases.push({ name, sql, pid: row?.pid ?? 0 });
  }
  process.stdout.write('Until the app has its answer, and of the processor in the server (in brackets):\n\n');
  // Row by row: the whole takes some minutes.
  const heads = ['without Imago, ms', ...states.slice(1).map((state) => `${state.name}, times`)];
  process.stdout.write(`| write | ${heads.join(' | ')} |\n| --- | ${heads.map(() => '---').join(' | ')} |\n`);
  const verdicts: string[] = [];
  for (const write of writes) {
    const costs = states.map((): Cost[] => []);
    for (let turn = 0; turn < turns; turn += 1) {
      for (const [i, { sql, pid }] of databases.entries())
        costs[i]?.push(await measured(sql, pid, write, turn));
    }
    const best = (of: keyof Cost) => costs.map((all) => Math.min(...all.map((cost) => cost[of])));
    const [passed = 0, ...later] = best('passed');
    const [processor = 0, ...laterProcessor] = best('processor');
    const ratios = later.map((ms) => ms / passed);
    const cells = [
      `${passed.toFixed(2)} (${processor.toFixed(2)})`,
      ...ratios.map(
        (ratio, i) => `${ratio.toFixed(2)} (${((laterProcessor[i] ?? 0) / processor).toFixed(2)})`,
      ),
    ];
    process.stdout.write(`| ${write.name} | ${cells.join(' | ')} |\n`);
    if (write.target !== undefined) {
      const worst = Math.max(...ratios);
      const verdict = worst <= write.target ? 'reached' : 'missed';
      verdicts.push(`${verdict}: ${write.name}, at most ${write.target} times: ${worst.toFixed(2)} at worst`);
    }
  }
  process.stdout.write(`\n${verdicts.join('\n')}\n`);
  for (const { name, sql } of databases) {
    await sql.end();
    await dropDatabase(server, name);
  }
} finally {
  await server.remove();
}
