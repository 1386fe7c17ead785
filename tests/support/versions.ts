import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { expect, inject, onTestFinished } from 'vitest';
import { Terminal } from '../../scripts/command/terminal.ts';
import { check } from '../../scripts/db/check.ts';
import type { Context, Ending } from '../../scripts/db/context.ts';
import { downgrade } from '../../scripts/db/downgrade.ts';
import { init } from '../../scripts/db/init.ts';
import { migrate } from '../../scripts/db/migrate.ts';
import { type CommandName, parseOptions } from '../../scripts/db/options.ts';
import { Problem } from '../../scripts/db/problem.ts';
import { reset } from '../../scripts/db/reset.ts';
import { stamp } from '../../scripts/db/stamp.ts';
import { history, status } from '../../scripts/db/status.ts';
import { calledIn } from '../../scripts/db/target.ts';
import { upgrade } from '../../scripts/db/upgrade.ts';
import { runCli } from '../../scripts/supabase-cli.ts';
import { BARE, type TestServer } from './cluster.ts';
import { type Running, startCommand } from './command.ts';
import { freshDatabase, type TestDatabase } from './database.ts';
import { removeEmbedded } from './embedded.ts';
import { until, untilBlocked } from './until.ts';

const commands = { init, migrate, upgrade, downgrade, status, history, check, stamp, reset };

/** A project of its own in a temporary folder, with a database of its own. */
export interface VersionedProject {
  folder: string;
  db: TestDatabase;
  sql: Sql;
  /** Runs a command as the command line would, in this process. */
  run(command: CommandName, ...args: string[]): Promise<Ending>;
  /** The problem that a command ends with. */
  refusal(command: CommandName, ...args: string[]): Promise<Problem>;
  /** Writes files, named from supabase/. */
  write(files: Record<string, string>): Promise<void>;
  read(file: string): Promise<string>;
  files(folder: 'migrations' | 'ways-back' | 'schemas'): Promise<string[]>;
  /** Writes a version by hand. */
  version(version: string, up: string, down?: string): Promise<void>;
  /** Writes models, and by hand a first version that makes what they say: `migrate` takes seconds for it. */
  startWith(models: Record<string, string>): Promise<void>;
  /** What `supabase migration list` says, having made sure that `status` says the same. */
  list(): Promise<{ version: string; local: boolean; remote: boolean }[]>;
}

/** What people are asked, and their answers; without them nobody is there. */
type Answers = (question: string) => boolean;

export async function versionedProject({
  answers,
  on = inject('cluster'),
}: {
  answers?: Answers;
  /** The server of its database, if not the one that all tests share. */
  on?: TestServer;
} = {}): Promise<VersionedProject> {
  const db = await freshDatabase({ migrated: false, on });
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-versions-'));
  onTestFinished(async () => {
    await db.drop();
    await rm(folder, { recursive: true, force: true });
  });
  const supabase = path.join(folder, 'supabase');
  await mkdir(supabase);
  await writeFile(path.join(supabase, 'config.toml'), 'project_id = "test"\n');

  // As the command has it.
  const session = db.connect();

  const run = async (command: CommandName, ...args: string[]): Promise<Ending> => {
    const terminal = new Terminal('error');
    const context: Context = {
      options: parseOptions([command, ...args], 'imago db'),
      folder,
      terminal,
      signal: new AbortController().signal,
      program: 'imago db',
      target: { kind: 'database', url: db.url, linked: undefined },
      connect: async () => ({ sql: session, url: db.url }),
      shadows: async () => ({
        url: (name) => `postgresql://postgres:${on.password}@127.0.0.1:${on.port}/${name}`,
        pristine: BARE,
        called: calledIn({ kind: 'database', url: db.url, linked: undefined }),
      }),
      ask: answers && (async (question) => answers(question)),
      confirm: async () => {},
    };
    return await commands[command](context);
  };
  const files = async (name: string): Promise<string[]> =>
    (await readdir(path.join(supabase, name)).catch(() => [])).sort();
  const write = async (contents: Record<string, string>): Promise<void> => {
    for (const [file, text] of Object.entries(contents)) {
      await mkdir(path.dirname(path.join(supabase, file)), { recursive: true });
      await writeFile(path.join(supabase, file), text);
    }
  };
  const version = async (name: string, up: string, down?: string): Promise<void> => {
    await write({
      [`migrations/${name}_by_hand.sql`]: up,
      ...(down !== undefined && { [`ways-back/${name}_by_hand.sql`]: down }),
    });
  };
  return {
    folder,
    db,
    sql: db.sql,
    run,
    async refusal(command, ...args) {
      const problem = await run(command, ...args).catch((error: unknown) => error);
      expect(problem).toBeInstanceOf(Problem);
      return problem as Problem;
    },
    write,
    read: (file) => readFile(path.join(supabase, file), 'utf8'),
    files,
    version,
    async startWith(models) {
      await write(models);
      await version(V1, Object.values(models).join('\n'));
    },
    async list() {
      const listed = await cliList(folder, db.url);
      const { data } = await run('status');
      const versions = (where: 'local' | 'remote') =>
        listed.filter((row) => row[where]).map(({ version }) => version);
      expect(data?.applied).toEqual(versions('remote'));
      expect(data?.pending).toEqual(
        listed.filter(({ local, remote }) => local && !remote).map(({ version }) => version),
      );
      return listed;
    },
  };
}

async function cliList(folder: string, url: string) {
  const { code, output } = await runCli(folder, [
    'migration',
    'list',
    `--remote=${url}`,
    '--output-format',
    'json',
  ]);
  expect(code).toBe(0);
  const answer = JSON.parse(output.slice(output.indexOf('{'))) as {
    migrations: { local: string; remote: string }[];
  };
  return answer.migrations.map(({ local, remote }) => ({
    version: local || remote,
    local: local !== '',
    remote: remote !== '',
  }));
}

/** `supabase db push`, as somebody without Imago does it. */
export async function cliPush({ folder, db }: VersionedProject): Promise<void> {
  const { code, output } = await runCli(folder, ['db', 'push', `--remote=${db.url}`, '--yes']);
  expect(`${code} ${output}`).toMatch(/^0/);
}

/** All rows of tables as one text, so that a lost or changed one shows. */
export async function rowsOf(sql: Sql, ...tables: string[]): Promise<Record<string, string[]>> {
  const rows = await Promise.all(
    tables.map(async (table) => {
      const found = await sql.unsafe<{ row: string }[]>(
        `select to_jsonb(t)::text as row from ${table} t order by 1`,
      );
      return [table, found.map(({ row }) => row)] as const;
    }),
  );
  return Object.fromEntries(rows);
}

/** A command that hangs on what somebody else holds. */
export interface Hanging {
  running: Running;
  /** Of its session. */
  pid: number;
  /** Lets it go on, and waits until its session is gone. */
  end(): Promise<void>;
}

/** Starts the real command on a project of which somebody holds something, and waits until it hangs there. */
export async function hanging(project: VersionedProject, hold: string, ...args: string[]): Promise<Hanging> {
  const holder = project.db.connect();
  await holder.unsafe(`begin; ${hold}`);
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-interrupted-'));
  onTestFinished(() => removeEmbedded(folder));
  const running = startCommand(
    ['db', ...args, '--yes', '--workdir', project.folder, '--lock-timeout', '60000'],
    { DATABASE_URL: project.db.url, IMAGO_FOLDER: folder },
    { script: 'scripts/imago.ts' },
  );
  let pid = 0;
  await until(
    'it waits for what is held',
    async () => {
      const [row] = await project.sql<{ pid: number }[]>`
        select pid from pg_stat_activity where datname = ${project.db.name} and wait_event_type = 'Lock'`;
      pid = row?.pid ?? 0;
      return pid > 0;
    },
    60_000,
  );
  await untilBlocked(project.sql, pid);
  const end = async () => {
    await holder.unsafe('rollback');
    await until(
      'its session is gone',
      async () => (await project.sql`select from pg_stat_activity where pid = ${pid}`).length === 0,
    );
  };
  return { running, pid, end };
}

export const V1 = '20260101000000';
export const V2 = '20260102000000';
export const V3 = '20260103000000';

/** A project with a table of ten rows at version 1, and a second version. */
export async function started(up?: string, down?: string): Promise<VersionedProject> {
  const project = await versionedProject();
  await project.version(
    V1,
    'create table public.t (id int primary key, a text, changed timestamptz default now());',
    'drop table public.t;',
  );
  await project.run('upgrade');
  await project.sql`insert into t select i, 'row ' || i from generate_series(1, 10) i`;
  if (up !== undefined) await project.version(V2, up, down);
  return project;
}

/** The version that the project's database is at. */
export async function current({ run }: VersionedProject): Promise<unknown> {
  return (await run('status')).data?.current;
}
