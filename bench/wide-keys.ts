/**
 * What int-to-bigint takes on a key with three tables that refer to it: `node bench/wide-keys.ts [rows]` prints a table. Each
 * of the four has so many rows, a million unless told otherwise. Beside it an app writes, and its longest write is measured;
 * the run works half of the time because of that.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { connect } from '../scripts/embedded/cluster.ts';
import { pushMigrations } from '../scripts/embedded/push.ts';
import { call } from '../scripts/plan/act.ts';
import { finalize } from '../scripts/plan/conformance/steps.ts';
import { createPlan } from '../scripts/plan/create.ts';
import { readPlan, readProject, wholeText } from '../scripts/plan/project.ts';
import { type Server, startServer } from './server.ts';

const rows = Number(process.argv[2] ?? 1_000_000);
const plan = 'wide_orders';
const referring = ['items', 'payments', 'notes'];

const tables = `
  create table public.orders (id serial primary key, body text, created_at timestamptz default now());
  insert into public.orders (body) select 'order ' || i from generate_series(1, ${rows}) i;
  ${referring
    .map(
      (name) => `
  create table public.${name} (id serial primary key, order_id integer not null references public.orders, body text);
  insert into public.${name} (order_id, body) select 1 + (i::bigint * 7919) % ${rows}, '${name} ' || i from generate_series(1, ${rows}) i;
  create index on public.${name} (order_id);`,
    )
    .join('')}`;

const write = `
  with made as (insert into public.orders (body) values ('new') returning id)
  insert into public.items (order_id, body) select id, 'new' from made`;

interface Line {
  what: string;
  seconds: number;
  /** Milliseconds of the app's longest write meanwhile. */
  longest: number;
}

async function database(server: Server, name: string): Promise<Sql> {
  await server.admin.unsafe(`create database ${name} owner postgres template postgres`);
  const sql = connect(server.cluster, 'postgres', name);
  await sql.unsafe(tables);
  await pushMigrations(server.cluster.url('postgres', name));
  await sql.unsafe('vacuum (analyze)');
  return sql;
}

/** Does something beside an app that writes ten times a second. */
async function measured(
  server: Server,
  name: string,
  what: string,
  work: () => Promise<unknown>,
): Promise<Line> {
  const app = connect(server.cluster, 'postgres', name);
  let [isDone, longest] = [false, 0];
  const writing = (async () => {
    while (!isDone) {
      const began = performance.now();
      await app.unsafe(write);
      longest = Math.max(longest, performance.now() - began);
      await delay(100);
    }
  })();
  const began = performance.now();
  try {
    await work();
  } finally {
    isDone = true;
  }
  const seconds = (performance.now() - began) / 1000;
  await writing;
  await app.end();
  return { what, seconds, longest };
}

async function register(sql: Sql): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-'));
  try {
    await mkdir(path.join(folder, 'supabase'));
    await writeFile(path.join(folder, 'supabase', 'config.toml'), '');
    const project = readProject(folder);
    const kind = { name: 'int-to-bigint', options: { column: 'id' } };
    await createPlan(sql, project, { plan, source: 'public.orders', key: 'id', column: 'id', kind });
    await sql.begin((tx) =>
      tx.unsafe(`set local check_function_bodies = off;\n${wholeText(readPlan(project, plan).sources)}`),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Beside the app that takes as many short calls as it takes. */
async function migrate(sql: Sql): Promise<void> {
  for (;;) {
    const answer = await call(sql, 'migrate_batch', { plan });
    if (answer.status === 'failed') throw new Error(answer.error?.message);
    if (!answer.has_more) return;
    await delay(answer.retry_after_ms ?? 0);
  }
}

const server = await startServer();
try {
  const lines: Line[] = [];
  const plain = await database(server, 'plain');
  lines.push(
    await measured(server, 'plain', 'alter column … type bigint, four times', () =>
      plain.begin(async (tx) => {
        await tx`alter table public.orders alter column id type bigint`;
        for (const name of referring)
          await tx`alter table public.${tx(name)} alter column order_id type bigint`;
      }),
    ),
  );
  await plain.end();
  const sql = await database(server, 'widened');
  await register(sql);
  const step = async (what: string, work: () => Promise<unknown>) =>
    lines.push(await measured(server, 'widened', what, work));
  await step('int-to-bigint, the run', () => migrate(sql));
  let swapped: unknown;
  await step('int-to-bigint, finalize', async () => {
    const answers = await finalize(sql, plan);
    swapped = answers.find((answer) => answer.step === 'twins take the old names')?.held_ms;
  });
  const { healthy } = await call(sql, 'validate_migration', { plan });
  await sql.end();
  process.stdout.write(
    `| ${rows} rows in each of four tables | seconds | longest write of the app, ms |\n| --- | --- | --- |\n`,
  );
  for (const { what, seconds, longest } of lines) {
    process.stdout.write(`| ${what} | ${seconds.toFixed(1)} | ${Math.round(longest)} |\n`);
  }
  process.stdout.write(
    `\nThe swap has kept writers waiting for ${swapped} ms. ${healthy ? 'Nothing' : 'Something'} is wrong.\n`,
  );
} finally {
  await server.remove();
}
