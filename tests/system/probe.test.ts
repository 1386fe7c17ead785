/** `imago doctor --probe`: tries a project in schemas of its own, tells of no secret, and leaves nothing. */
import { expect, test } from 'vitest';
import { makeScratch, scratchName } from '../../scripts/doctor/probe/scratch.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { installCron, jobs, runJobs } from '../support/cron.ts';
import { everything } from '../support/everything.ts';
import { until } from '../support/until.ts';

const script = { script: 'scripts/doctor.ts' };
const probe = (environment: Record<string, string>, ...args: string[]) =>
  runCommand(['--probe', '--yes', ...args], environment, script);

interface Seen {
  name: string;
  status: string;
  text: string;
}

/** All that a probe could leave behind. */
const left = async ({ db }: Project): Promise<Record<string, unknown>> => await everything(db.sql);

const byName = (parts: Seen[]) => Object.fromEntries(parts.map(({ name, status }) => [name, status]));

test('the probe of a sound project tries all of it, ends with 0 and leaves it as it was', async () => {
  const project = await freshProject({ users: 3 });
  await installCron(project.db);
  const before = await left(project);
  const done = await probe(project.environment, '--json');
  expect(done.code, done.stdout).toBe(0);
  expect(done.json()).toMatchObject({ status: 'sound', exit_code: 0 });
  const { parts } = done.json();
  expect(byName(parts)).toEqual({
    connection: 'ok',
    versions: 'ok',
    rights: 'ok',
    writes: 'ok',
    timeouts: 'ok',
    'Data API': 'ok',
    engine: 'ok',
    functions: 'ok',
    cron: 'ok',
    removal: 'ok',
  });
  const engine = parts.find(({ name }: Seen) => name === 'engine').text;
  expect(engine).toContain('the first batch through the Data API');
  expect(engine).toContain('a killed session took its batch back');
  expect(await left(project)).toEqual(before);
  expect(await jobs(project.db)).toEqual([]);
});

test('with --wait the probe sees a job of pg_cron run, and takes away what is written of it', async () => {
  const project = await freshProject({ users: 3 });
  await installCron(project.db);
  const before = await left(project);
  const running = startCommand(['--probe', '--yes', '--wait', '--json'], project.environment, script);
  await running.says('Trying cron');
  await until('the probe has made its job', async () => (await jobs(project.db)).length > 0);
  await runJobs(project.db);
  const done = await running.finished;
  expect(done.code, done.stdout).toBe(0);
  expect(done.json().parts.find(({ name }: Seen) => name === 'cron').text).toContain('a job ran after');
  expect(await left(project)).toEqual(before);
});

test('a probe that fails in the middle ends with 3, says where, and leaves nothing', async () => {
  const project = await freshProject({ users: 3 });
  await project.db.sql.unsafe(`
    create or replace function public.finalize_migration(plan text default 'avatars', allow_data_loss boolean default false, dry_run boolean default false)
    returns jsonb language plpgsql security definer set search_path = '' as $$
    begin
      return imago.finalize(plan, allow_data_loss, dry_run) || case when plan <> 'avatars' then ('x' || plan)::jsonb else '{}' end;
    end $$`);
  const before = await left(project);
  const done = await probe(project.environment, '--json');
  expect(done.code).toBe(3);
  expect(done.json()).toMatchObject({ status: 'findings', message: 'Not as it should be: engine.' });
  expect(done.json().parts).toContainEqual({
    name: 'engine',
    status: 'failed',
    text: 'at "finalize": 22P02',
  });
  expect(await left(project)).toEqual(before);
});

test('a probe that is interrupted in the middle ends with 130 and leaves nothing', async () => {
  const project = await freshProject({ users: 3 });
  const before = await left(project);
  const other = project.db.connect();
  const held = await other.reserve();
  // No batch can be opened: the probe stands there.
  await held.unsafe('begin; lock table imago.batch in exclusive mode');
  const running = startCommand(['--probe', '--yes', '--json'], project.environment, script);
  await running.says('Trying the engine: first batch');
  running.child.kill('SIGINT');
  await running.says('Stopping after what is being tried');
  await held.unsafe('rollback');
  held.release();
  const done = await running.finished;
  expect(done.code).toBe(130);
  expect(done.json()).toMatchObject({ status: 'interrupted', exit_code: 130 });
  expect(await left(project)).toEqual(before);
});

test('what a killed probe has left is removed by the next after an hour, and nothing that only looks like it', async () => {
  const project = await freshProject({ users: 3 });
  const { sql } = project.db;
  await sql.unsafe('create schema imago_probe_mine; create schema imago_probe_0123abcd');
  const young = scratchName();
  await makeScratch(sql, young);
  const before = await left(project);
  const old = scratchName(Date.now() - 7_200_000);
  await makeScratch(sql, old);
  await sql`select public.migrate_batch(${old}, max_ms => 1)`;
  const done = await probe(project.environment);
  expect(done.code, done.stdout).toBe(0);
  expect(done.stdout).toContain('of 1 earlier ones neither');
  expect(await left(project)).toEqual(before);
});

test('a database without Imago, or one that takes no writes, is said to be so, and nothing is made', async () => {
  const bare = await freshProject({ app: 'none', migrated: false });
  const untouched = await left(bare);
  const without = await probe(bare.environment, '--json');
  expect(without.code).toBe(3);
  expect(byName(without.json().parts)).toMatchObject({
    'Data API': 'failed',
    engine: 'failed',
    removal: 'ok',
  });
  expect(await left(bare)).toEqual(untouched);

  const full = await freshProject({ users: 3 });
  await full.db.sql.unsafe(
    `do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`,
  );
  const closed = await probe(full.environment, '--json');
  expect(closed.code).toBe(3);
  expect(closed.json().parts).toContainEqual({
    name: 'engine',
    status: 'failed',
    text: 'the database takes no writes',
  });
  expect(byName(closed.json().parts)).toMatchObject({ writes: 'failed', removal: 'ok' });
});

test('nothing that names or opens the project is in the report, whatever the server says', async () => {
  const project = await freshProject({ users: 3 });
  const { sql } = project.db;
  const url = new URL(project.environment.DATABASE_URL ?? '');
  const words = [
    'sb_secret_test',
    'sb_publishable_test',
    url.password,
    url.host,
    url.pathname.slice(1),
    'Adelheid',
  ];
  // A server that puts secrets wherever it can: into messages, codes, versions and settings.
  await sql.unsafe(`
    update imago.setting set value = 'sb_secret_test Adelheid' where name = 'engine_version';
    create or replace function public.prepare_migration(plan text default 'avatars') returns jsonb language plpgsql as $$
    begin
      return jsonb_build_object('has_more', true, 'error', jsonb_build_object('code', 'sb_secret_test', 'message', 'Adelheid'));
    end $$;
    create or replace function public.get_engine_version() returns jsonb language plpgsql as $$
    begin
      raise exception 'sb_secret_test of Adelheid at ${url.host}' using errcode = 'P0001', hint = '${url.password}', detail = 'Adelheid';
    end $$`);
  const environment = { ...project.environment, SUPABASE_PUBLISHABLE_KEY: 'sb_publishable_test' };
  for (const args of [[], ['--json']]) {
    const done = await probe(environment, ...args);
    expect(done.code).toBe(3);
    expect(done.stdout).toContain('engine');
    expect(words.filter((word) => done.stdout.includes(word))).toEqual([]);
  }
});

test('a project is not probed unasked, nor without the database itself, nor options that go with it without it', async () => {
  const project = await freshProject({ users: 3 });
  const before = await left(project);
  const { DATABASE_URL: _, ...byApi } = project.environment;
  const refused: [args: string[], environment: Record<string, string>, words: string][] = [
    [['--probe'], project.environment, 'Add --yes'],
    [['--probe', '--yes'], byApi, 'DATABASE_URL is not set'],
    [['--yes'], project.environment, '--yes goes with --probe'],
    [['--wait'], project.environment, '--wait goes with --probe'],
    [['--probe', '--yes', '--fail-on', 'warning'], project.environment, '--fail-on does not go'],
  ];
  for (const [args, environment, words] of refused) {
    const done = await runCommand(args, environment, script);
    expect({ args, code: done.code, stdout: done.stdout }).toEqual({ args, code: 2, stdout: '' });
    expect(done.stderr).toContain(words);
  }
  expect(await left(project)).toEqual(before);
});
