/** What the function progress tells: the same figures as SQL, for people, programs and Prometheus. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { type Answer, call, value } from '../support/call.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { type Caller, type FunctionsProject, type Reply, startFunctions } from '../support/functions.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createPlan, PLAN } from '../support/plan.ts';
import { parseScrape, type Scrape } from '../support/prometheus.ts';

const VIEWS = {
  progress: 'get_detailed_migration_progress',
  performance: 'get_migration_performance_stats',
  statistics: 'get_migration_statistics',
} as const;

let db: TestDatabase;
let project: FunctionsProject;

beforeAll(async () => {
  db = await freshDatabase();
  project = await startFunctions(db);
});

afterAll(async () => {
  await project?.close();
  await db?.drop();
});

/** Puts a database of its own behind the functions for one test. */
async function behind(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const fresh = await freshDatabase({ app: 'sample', users: 40, ...options });
  await project.use(fresh);
  onTestFinished(async () => {
    await project.use(db);
    await fresh.drop();
  });
  return fresh;
}

const get = async (query = '', caller: Caller = 'viewer'): Promise<Reply> =>
  await project.call(caller, 'progress', { method: 'GET', query });

/** A scrape that is of the text format, with a type and a help for each metric. */
async function scrape(query = '', caller: Caller = 'secret key grafana'): Promise<Scrape> {
  const reply = await get(`?format=prometheus${query}`, caller);
  expect([reply.status, reply.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  const parsed = parseScrape(reply.text);
  for (const { name, value } of parsed.samples) {
    expect([name, parsed.types[name], parsed.helps[name]]).toEqual([
      name,
      name.endsWith('_total') ? 'counter' : 'gauge',
      expect.stringMatching(/^[A-Z0-9].*\.$/),
    ]);
    expect([name, Number.isFinite(value)]).toEqual([name, true]);
  }
  return parsed;
}

/** The value of the sample with these labels, the plan's aside; undefined where there is none. */
function figure({ samples }: Scrape, name: string, labels: Record<string, string> = {}, plan = 'avatars') {
  const wanted = JSON.stringify(Object.entries({ plan, ...labels }).toSorted());
  return samples.find(
    (sample) => sample.name === name && JSON.stringify(Object.entries(sample.labels).toSorted()) === wanted,
  )?.value;
}

/** What goes on by itself between two looks. */
function still(answer: Answer): Answer {
  const {
    database_connections,
    cache_hit_ratio,
    per_minute,
    per_minute_now,
    users_per_minute,
    users_per_minute_now,
    eta_seconds,
    ...rest
  } = answer;
  return rest;
}

describe('the function progress, as JSON', () => {
  test('every view is what SQL answers: before, in the middle, after, and taken back', async () => {
    const { sql } = await behind();
    const expectSame = async (state: string) => {
      for (const [view, name] of Object.entries(VIEWS)) {
        const reply = await get(`?view=${view}`);
        expect([view, reply.status, still(reply.json)]).toEqual([view, 200, still(await call(sql, name))]);
        if (view !== 'statistics') expect(reply.json.state).toBe(state);
      }
      expect(still((await get()).json)).toEqual(
        still((await get('?view=progress&format=json&plan=avatars')).json),
      );
    };
    await expectSame('none');
    await prepareAll(sql);
    await call(sql, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 });
    await expectSame('running');
    await migrateAll(sql);
    await expectSame('succeeded');
    await rollbackAll(sql);
    await expectSame('succeeded');
  });

  test('changes nothing and is not logged', async () => {
    const { sql } = await behind({ avatars: 'migrated' });
    const before = await value(sql, 'select count(*)::int from public.migration_log');
    project.asked.length = 0;
    for (const view of Object.keys(VIEWS)) {
      await get(`?view=${view}`);
      await get(`?view=${view}&format=prometheus`);
    }
    expect(await value(sql, 'select count(*)::int from public.migration_log')).toBe(before);
    expect(new Set(project.asked)).toEqual(new Set(Object.values(VIEWS)));
  });
});

describe('the function progress, for Prometheus', () => {
  test('before anything was run: everybody is pending, nothing is claimed', async () => {
    await behind();
    const seen = await scrape();
    expect(figure(seen, 'imago_entities', { entities: 'users', state: 'pending' })).toBe(40);
    expect(figure(seen, 'imago_entities', { entities: 'users', state: 'migrated' })).toBe(0);
    expect(figure(seen, 'imago_completion_ratio')).toBe(0);
    expect(figure(seen, 'imago_run_state', { state: 'none' })).toBe(1);
    expect(figure(seen, 'imago_eta_seconds')).toBeUndefined();
  });

  test('in the middle and after: the figures of the JSON', async () => {
    const { sql } = await behind({ avatars: 'prepared' });
    await call(sql, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 });
    const middle = await scrape();
    expect(figure(middle, 'imago_entities_all', { entities: 'users' })).toBe(40);
    expect(figure(middle, 'imago_entities', { entities: 'users', state: 'migrated' })).toBe(10);
    expect(figure(middle, 'imago_entities', { entities: 'users', state: 'pending' })).toBe(30);
    expect(figure(middle, 'imago_completion_ratio')).toBe(0.25);
    expect(figure(middle, 'imago_run_state', { state: 'running' })).toBe(1);
    expect(figure(middle, 'imago_run_state', { state: 'succeeded' })).toBe(0);

    await migrateAll(sql);
    const after = await scrape();
    const { rows, batches, batch_ms } = await call(sql, VIEWS.performance);
    expect(figure(after, 'imago_completion_ratio')).toBe(1);
    expect(figure(after, 'imago_batches_total')).toBe(batches);
    expect(figure(after, 'imago_batch_seconds', { quantile: '0.95' })).toBeCloseTo(batch_ms.p95 / 1000, 6);
    expect(Object.keys(rows).length).toBeGreaterThan(2);
    for (const [relation, count] of Object.entries(rows))
      expect([relation, figure(after, 'imago_rows_written_total', { relation })]).toEqual([relation, count]);
    const states = after.samples.filter(({ name }) => name === 'imago_run_state');
    expect(states.filter(({ value }) => value === 1).map(({ labels }) => labels.state)).toEqual([
      'succeeded',
    ]);
  });

  test('each view alone is of the text format, too, for every caller who may look', async () => {
    await behind({ avatars: 'migrated' });
    for (const caller of ['viewer', 'operator', 'secret key default'] satisfies Caller[]) {
      for (const view of Object.keys(VIEWS)) {
        const seen = await scrape(`&view=${view}`, caller);
        expect(seen.samples.length).toBeGreaterThan(1);
        for (const { labels } of seen.samples) expect(labels.plan).toBe('avatars');
      }
    }
  });

  test('users who were set aside, held or are in conflict are told apart', async () => {
    const { sql } = await behind({ avatars: 'prepared' });
    const users = await sql<{ id: string }[]>`select id from public.users order by id`;
    const [failing, held, edited] = users.map(({ id }) => id);
    await sql.unsafe(
      `alter table public.avatars add constraint no_one check (owner_user_id <> '${failing}') not valid`,
    );
    await migrateAll(sql);
    await call(sql, 'rollback_user_migration', { user_id: held });
    const seen = await scrape();
    expect(figure(seen, 'imago_entities', { entities: 'users', state: 'migrated' })).toBe(38);
    expect(figure(seen, 'imago_entities', { entities: 'users', state: 'failed' })).toBe(1);
    expect(figure(seen, 'imago_entities', { entities: 'users', state: 'held' })).toBe(1);
    expect(figure(seen, 'imago_errors_total', { sqlstate: '23514' })).toBe(1);
    expect(figure(seen, 'imago_run_state', { state: 'failed' })).toBe(1);

    await sql`update public.avatars set name = 'edited' where owner_user_id = ${edited as string}`;
    await rollbackAll(sql);
    expect(figure(await scrape(), 'imago_entities', { entities: 'users', state: 'conflict' })).toBe(1);
  });

  test('an app without users: no division by nothing, nothing infinite', async () => {
    const { sql } = await behind({ users: 0 });
    for (const run of [async () => {}, () => migrateAll(sql), () => rollbackAll(sql)]) {
      await run();
      for (const view of Object.keys(VIEWS)) expect((await get(`?view=${view}`)).status).toBe(200);
      const seen = await scrape();
      expect(figure(seen, 'imago_entities_all', { entities: 'users' })).toBe(0);
      expect(figure(seen, 'imago_entities', { entities: 'users', state: 'pending' })).toBe(0);
    }
  });

  test('names with quotes, backslashes and line ends are escaped', async () => {
    const { sql } = await behind({ app: 'none' });
    const table = 'odd "name" \\ of\n{a} table';
    const quoted = `public."${table.replaceAll('"', '""')}"`;
    await sql.unsafe(`
      create table ${quoted} (id integer primary key, done boolean not null default false);
      insert into ${quoted} select generate_series(1, 5)`);
    await createPlan(sql, {
      table,
      key: 'id',
      keyType: 'integer',
      pending: 'not s.done',
      apply: `update ${quoted} s set done = true where s.id = any (keys);`,
      writes: [{ relation: quoted, entity: 'id', columns: ['done'] }],
    });
    await migrateAll(sql, { plan: PLAN });
    const relations = Object.keys((await call(sql, VIEWS.performance, { plan: PLAN })).rows);
    expect(relations).toHaveLength(1);
    expect(relations[0]).toContain('\n');
    const seen = await scrape(`&plan=${PLAN}`);
    expect(figure(seen, 'imago_rows_written_total', { relation: relations[0] as string }, PLAN)).toBe(5);
  });
});
