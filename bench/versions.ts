/**
 * `npm run bench -- versions`: `db upgrade` of many versions beside `supabase db push` of the same, in turns, and `db migrate` of
 * many tables at once.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { duration, whole } from '../scripts/command/figures.ts';
import { runCli } from '../scripts/supabase-cli.ts';
import { startNode } from './children.ts';
import { describeMachine } from './machine.ts';
import { middle } from './middle.ts';
import { parseVersions } from './options.ts';
import { type Server, startServer } from './server.ts';

/** How many times as long as `supabase db push` `upgrade` may take. */
const mostTimes = 1.2;

/** How long the statements of all tables may take to be written, on two cores. */
const mostDiffMs = 60_000;

/** One round, in milliseconds. */
interface Round {
  upgrade: number;
  push: number;
}

/** Measures all, and prints it. Exit code 1 where a goal is missed. */
export async function versions(argv: readonly string[]): Promise<number> {
  const { versions: count, tables, rounds: times, json } = parseVersions(argv);
  const server = await startServer();
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-versions-'));
  try {
    const machine = await describeMachine(server.admin);
    const project = path.join(folder, 'versions');
    for (let index = 0; index < count; index += 1)
      await write(project, `migrations/${20260101000000 + index}_step_${index}.sql`, stepText(index));
    await write(project, 'config.toml', 'project_id = "bench"\n');
    const rounds: Round[] = [];
    for (let round = 0; round < times; round += 1) {
      console.error(`Round ${round + 1} of ${times}`);
      // Who is first finds the disk as the round before has left it.
      const upgrade = () => onDatabase(server, (url) => upgraded(project, url));
      const push = () => onDatabase(server, (url) => pushed(project, url));
      const [first, second] = round % 2 === 0 ? [upgrade, push] : [push, upgrade];
      const [one, other] = [await first(), await second()];
      rounds.push(round % 2 === 0 ? { upgrade: one, push: other } : { upgrade: other, push: one });
    }
    const middleOf = (figure: (round: Round) => number) => figure(middle(rounds, figure));
    const ratio = middleOf((round) => round.upgrade / round.push);
    console.error(`${whole(tables)} tables`);
    const diffMs = tables > 0 ? await diffed(path.join(folder, 'tables'), tables) : undefined;
    const isReached = ratio <= mostTimes && (diffMs ?? 0) <= mostDiffMs;
    const lines = [
      `upgrade of ${whole(count)} versions: ${duration(middleOf((round) => round.upgrade))}`,
      `supabase db push of the same: ${duration(middleOf((round) => round.push))}`,
      `ratio: ${ratio.toFixed(2)} (at most ${mostTimes}); of each round: ${rounds.map(({ upgrade, push }) => (upgrade / push).toFixed(2)).join(', ')}`,
      ...(diffMs === undefined
        ? []
        : [`migrate of ${whole(tables)} tables: ${duration(diffMs)} (at most ${duration(mostDiffMs)})`]),
    ];
    process.stdout.write(
      `${json ? JSON.stringify({ machine, versions: count, tables, rounds, ratio, diff_ms: diffMs }) : lines.join('\n')}\n`,
    );
    return isReached ? 0 : 1;
  } finally {
    await server.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

/** As versions of apps are: a table with what stands on it, and rows of it. */
function stepText(index: number): string {
  return `create table public.step_${index} (
  id bigint generated always as identity primary key,
  owner uuid not null,
  title text not null check (length(title) < 200),
  created_at timestamptz not null default now()
);

create index step_${index}_owner on public.step_${index} (owner);

alter table public.step_${index} enable row level security;

create policy "Own rows" on public.step_${index} to authenticated using (owner = (select auth.uid()));

insert into public.step_${index} (owner, title) select gen_random_uuid(), 'row ' || i from generate_series(1, 10) i;
`;
}

async function upgraded(project: string, url: string): Promise<number> {
  return await timed(() =>
    command(['db', 'upgrade', '--yes', '--workdir', project], { DATABASE_URL: url, IMAGO_FOLDER: project }),
  );
}

async function pushed(project: string, url: string): Promise<number> {
  return await timed(async () => {
    const { code, output } = await runCli(project, ['db', 'push', `--remote=${url}`, '--yes']);
    if (code !== 0) throw new Error(`supabase db push failed:\n${output}`);
  });
}

/** From models of many tables to a version, on the embedded database, which is there already. */
async function diffed(project: string, tables: number): Promise<number> {
  await write(project, 'config.toml', 'project_id = "bench"\n');
  await mkdir(path.join(project, 'supabase/migrations'), { recursive: true });
  const surroundings = { IMAGO_FOLDER: project };
  await command(['db', 'status', '--workdir', project], surroundings);
  for (let index = 0; index < tables; index += 1)
    await write(project, `schemas/step_${index}.sql`, stepText(index).replace(/insert[^;]*;/, ''));
  return await timed(() => command(['db', 'migrate', 'all', '--workdir', project], surroundings));
}

async function command(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = startNode(['scripts/imago.ts', ...args], { env });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`imago ${args.join(' ')} ended with exit code ${code}`);
}

async function onDatabase(server: Server, work: (url: string) => Promise<number>): Promise<number> {
  const name = `bench_${randomBytes(4).toString('hex')}`;
  await server.admin.unsafe(`create database ${name} owner postgres template postgres`);
  await server.admin`checkpoint`;
  try {
    return await work(server.cluster.url('postgres', name));
  } finally {
    await server.admin.unsafe(`drop database ${name} with (force)`);
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function write(project: string, file: string, text: string): Promise<void> {
  const place = path.join(project, 'supabase', file);
  await mkdir(path.dirname(place), { recursive: true });
  await writeFile(place, text);
}
