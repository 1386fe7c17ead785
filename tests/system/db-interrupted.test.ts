/** Versions that run outside of a transaction, killed at each point: what is half-way is said, and goes on. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { testCluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';
import { type Hanging, hanging, type VersionedProject, versionedProject } from '../support/versions.ts';

const V1 = '20260101000000';
const V2 = '20260102000000';
const create = 'create unique index concurrently "By; A" on public."T" ("a""b");';
const drop = 'drop index concurrently public."By; A";';

/** Keeps a concurrent build or drop waiting. */
const writing = `insert into public."T" values (0, 'open')`;
/** Keeps the history from being told. */
const reading = 'lock table supabase_migrations.schema_migrations in share row exclusive mode';

async function started(options: Parameters<typeof versionedProject>[0] = {}): Promise<VersionedProject> {
  const project = await versionedProject(options);
  await project.version(
    V1,
    'create table public."T" (id int primary key, "a""b" text);',
    'drop table public."T";',
  );
  await project.version(V2, create, drop);
  await project.run('upgrade', V1);
  await project.sql.unsafe(`insert into public."T" select i, 'row ' || i from generate_series(1, 10) i`);
  return project;
}

interface Index {
  oid: string;
  valid: boolean;
}

async function index({ sql }: VersionedProject): Promise<Index | undefined> {
  const [there] = await sql<Index[]>`
    select indexrelid::int8::text as oid, indisvalid as valid from pg_index where indexrelid = to_regclass('public."By; A"')`;
  return there;
}

async function halfWay(project: VersionedProject): Promise<unknown> {
  const { data, lines } = await project.run('status');
  const said = lines?.filter((line) => line.startsWith('Half-way')) ?? [];
  expect(said).toHaveLength(Number((data?.half_way as unknown[] | undefined)?.length));
  return said[0];
}

/** Kills the command, and its session unless that is to go on without it. */
async function kill({ sql }: VersionedProject, { running, pid }: Hanging, session: boolean): Promise<void> {
  running.child.kill('SIGKILL');
  await running.finished;
  if (session) await sql`select pg_terminate_backend(${pid})`;
}

async function expectApplied(project: VersionedProject): Promise<void> {
  expect((await project.run('status')).data).toMatchObject({ applied: [V1, V2], pending: [] });
  expect(await index(project)).toMatchObject({ valid: true });
  expect(await halfWay(project)).toBeUndefined();
  expect((await project.run('check')).data).toMatchObject({ drift: [], pending: [] });
}

async function expectTakenBack(project: VersionedProject): Promise<void> {
  expect((await project.run('status')).data).toMatchObject({ applied: [V1], pending: [V2] });
  expect(await index(project)).toBeUndefined();
  expect(await halfWay(project)).toBeUndefined();
}

describe('a concurrent index', () => {
  test('whose command and session are killed while it is built is dropped and built again', async () => {
    const project = await started();
    const interrupted = await hanging(project, writing, 'upgrade');
    await kill(project, interrupted, true);
    await interrupted.end();
    const left = await index(project);
    expect(left).toMatchObject({ valid: false });
    expect(await halfWay(project)).toBe(
      `Half-way  ${V2}_by_hand: index public."By; A" is built in part and not valid, and the history does not say so; upgrade goes on there`,
    );
    await project.run('upgrade');
    await expectApplied(project);
    expect(await project.list()).toMatchObject([{ remote: true }, { remote: true }]);
    expect((await index(project))?.oid).not.toBe(left?.oid);
  });

  test('whose command is killed, and which PostgreSQL builds to its end, is taken as it is', async () => {
    const project = await started();
    const interrupted = await hanging(project, writing, 'upgrade');
    await kill(project, interrupted, false);
    // Somebody is at it still: the leftover is not pulled away under him.
    expect(await project.refusal('upgrade', '--lock-timeout', '20', '--attempts', '2')).toMatchObject({
      code: 'locked',
      hint: expect.stringContaining('outside of a transaction'),
    });
    await interrupted.end();
    await until('it is built', async () => (await index(project))?.valid === true);
    const built = await index(project);
    expect(await halfWay(project)).toContain('index public."By; A" is built, and the history');
    await project.run('upgrade');
    expect(await index(project)).toEqual(built);
    await expectApplied(project);
  });

  test('that is built, and not in the history, is taken as it is; another one of its name is not', async () => {
    const project = await started();
    const interrupted = await hanging(project, reading, 'upgrade');
    await kill(project, interrupted, true);
    await interrupted.end();
    const built = await index(project);
    expect(built).toMatchObject({ valid: true });
    expect(await project.list()).toMatchObject([{ remote: true }, { remote: false }]);
    expect(await halfWay(project)).toContain('is built, and the history');
    await project.run('upgrade');
    expect(await index(project)).toEqual(built);
    await expectApplied(project);

    await project.run('downgrade');
    await project.sql.unsafe('create index "By; A" on public."T" (id)');
    expect(await project.refusal('upgrade')).toMatchObject({ code: 'already-exists' });
  });

  test('whose downgrade is killed, while it is dropped or before the history is told, is taken back whole by the next', async () => {
    const project = await started();
    await project.run('upgrade');
    const dropping = await hanging(project, writing, 'downgrade');
    await kill(project, dropping, true);
    await dropping.end();
    expect(await index(project)).toMatchObject({ valid: false });
    expect(await halfWay(project)).toContain(
      'is dropped in part and not valid, and the history does not say so; downgrade',
    );
    await project.run('downgrade');
    await expectTakenBack(project);

    await project.run('upgrade');
    const telling = await hanging(project, reading, 'downgrade');
    await kill(project, telling, true);
    await telling.end();
    expect(await halfWay(project)).toContain('is dropped, and the history');
    await project.run('downgrade');
    await expectTakenBack(project);
  });

  test('of a server that is killed, while it is built or before the history is told, is applied by the next upgrade', async () => {
    const server = await testCluster();
    onTestFinished(server.remove);
    const project = await started({ on: server });
    for (const hold of [writing, reading]) {
      const interrupted = await hanging(project, hold, 'upgrade');
      await server.crash();
      const { code, stderr } = await interrupted.running.finished;
      expect({ code, said: stderr.includes('db status tells') }, stderr).toEqual({ code: 1, said: true });
      await server.restart();
      expect(await halfWay(project)).toContain(`Half-way  ${V2}_by_hand`);
      await project.run('upgrade');
      await expectApplied(project);
      await project.run('downgrade');
      await expectTakenBack(project);
    }
  });

  test('without a name is refused: nobody could tell it from others', async () => {
    const project = await started();
    await project.version(V2, 'create index concurrently on public."T" (id);');
    expect(await project.refusal('upgrade')).toMatchObject({ code: 'unnamed-index' });
  });
});

test('copies that an interrupted reindex leaves are dropped before it is run again', async () => {
  const project = await started();
  await project.run('upgrade');
  await project.version('20260103000000', 'reindex table concurrently public."T";');
  const interrupted = await hanging(project, writing, 'upgrade');
  await kill(project, interrupted, true);
  await interrupted.end();
  const invalid = () =>
    project.sql`select from pg_index where not indisvalid and indrelid = 'public."T"'::regclass`;
  expect((await invalid()).length).toBeGreaterThan(0);
  await project.run('upgrade');
  expect(await invalid()).toHaveLength(0);
});
