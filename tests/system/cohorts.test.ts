/** Runs that take some entities first: a percentage, keys, a cohort that the owner has defined. */
import { createHash } from 'node:crypto';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { metrics } from '../../functions/_shared/metrics.ts';
import { asRole } from '../support/as-role.ts';
import { expectAllMigrated } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { callAtOnce } from '../support/callers.ts';
import { freshProject, runCommand } from '../support/command.ts';
import { installCron, runJobsToTheEnd } from '../support/cron.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, rollbackAll } from '../support/imago.ts';
import { createPlan, PLAN } from '../support/plan.ts';
import { pidOf, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

async function database(options: DatabaseOptions): Promise<TestDatabase> {
  const db = await freshDatabase(options);
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Calls until the run has ended; the last answer. */
async function migrate(sql: Sql, args: Record<string, unknown> = {}): Promise<Answer> {
  for (let calls = 0; calls < 1000; calls += 1) {
    const answer = await call(sql, 'migrate_batch', args);
    if (!answer.has_more || answer.status === 'failed') return answer;
  }
  throw new Error('no end');
}

/** Whether a key is in a percentage, as the docs say that everybody can compute it. */
function isIn(percent: number, key: string): boolean {
  const hash = createHash('sha256').update(key).digest('hex');
  return Number.parseInt(hash.slice(0, 8), 16) < (percent / 100) * 2 ** 32;
}

const usersOf = (sql: Sql) =>
  sql<{ id: string; moved: boolean }[]>`
    select u.id, u.active_avatar_id is not null as moved from public.users u order by u.id`;

const movedOf = async (sql: Sql) => (await usersOf(sql)).filter(({ moved }) => moved).map(({ id }) => id);

const progress = (sql: Sql, plan = 'avatars') => call(sql, 'get_detailed_migration_progress', { plan });

describe('a percentage', () => {
  test('takes those that the hash of their key names, ends as succeeded for them, says who is outside, and grows to all', async () => {
    const { sql } = await database({ app: 'sample', users: 200 });
    const original = await checksums(sql);
    const keys = (await sql<{ id: string }[]>`select id from public.users order by id`).map(({ id }) => id);
    const in10 = keys.filter((key) => isIn(10, key));
    const in25 = keys.filter((key) => isIn(25, key));
    expect(in25).toEqual(expect.arrayContaining(in10));

    const answer = await migrate(sql, { cohort: { percent: 10 } });
    expect(answer).toMatchObject({
      status: 'done',
      state: 'succeeded',
      findings: [],
      cohort: { percent: 10, keys: 0, names: [] },
    });
    expect(await movedOf(sql)).toEqual(in10);
    const within = {
      cohort: { percent: 10, keys: 0, names: [] },
      total: in10.length,
      migrated: in10.length,
      pending: 0,
      remaining: 0,
      percentage: 100,
      outside: 200 - in10.length,
    };
    expect(await progress(sql)).toMatchObject({ ...within, stages: [{ outside: 200 - in10.length }] });
    expect(await call(sql, 'get_migration_statistics')).toMatchObject({
      total: in10.length,
      pending: 0,
      outside: 200 - in10.length,
    });
    // Checks that hold for everybody once all is over hold for the cohort.
    expect(await call(sql, 'validate_migration')).toMatchObject({ phase: 'after', healthy: true });
    const early = await refusal(call(sql, 'finalize_migration', { plan: 'avatars' }));
    expect(early.code).toBe('IM038');
    expect(early.hint).toContain('{"percent": 100}');

    // An option that is left out means no more than before.
    await migrate(sql);
    expect(await movedOf(sql)).toEqual(in10);
    await migrate(sql, { cohort: { percent: 25 } });
    expect(await movedOf(sql)).toEqual(in25);
    await migrate(sql, { cohort: { percent: 100 } });
    await expectAllMigrated(sql);
    expect(await progress(sql)).toMatchObject({ cohort: null, total: 200, migrated: 200, outside: 0 });
    expect((await refusal(call(sql, 'migrate_batch', { cohort: { percent: 50 } }))).code).toBe('IM085');

    await rollbackAll(sql);
    expect(await checksums(sql)).toEqual(original);
    // Nobody is moved any more: it may begin with fewer.
    await migrate(sql, { cohort: { percent: 10 } });
    expect(await movedOf(sql)).toEqual(in10);
  });

  test('is estimated of a large table, and none of it is counted as all once a cohort was walked', async () => {
    const { sql, connect } = await database({ app: 'none' });
    await createItems(sql, 4000);
    await sql`alter table public.items set (autovacuum_enabled = false)`;
    const superuser = connect({ role: 'supabase_admin' });
    await superuser`update pg_class set reltuples = 400000 where oid = 'public.items'::regclass`;
    expect(await progress(sql, PLAN)).toMatchObject({ total_is_estimate: true, total: 400_008, outside: 0 });
    await migrate(sql, { plan: PLAN, cohort: { percent: 25 } });
    const moved = await value<number>(sql, 'select count(*)::int from public.items where fresh is not null');
    expect(await progress(sql, PLAN)).toMatchObject({
      total_is_estimate: true,
      total: moved,
      migrated: moved,
      outside: 300_008,
    });
    expect(await call(sql, 'get_migration_statistics', { plan: PLAN })).toMatchObject({
      total: moved,
      migrated: moved,
      outside: 4008 - moved,
    });
    await call(sql, 'migrate_batch', { plan: PLAN, cohort: { percent: 100 }, max_ms: 1 });
    const wide = await progress(sql, PLAN);
    expect(wide).toMatchObject({ cohort: null, outside: 0 });
    expect(wide.migrated).toBeGreaterThanOrEqual(moved);
    expect(wide.total).toBeGreaterThan(300_000);
    await migrate(sql, { plan: PLAN });
    expect(await progress(sql, PLAN)).toMatchObject({ total: 4008, migrated: 4008 });
  });
});

/** A plan on a table of its own: two stages, the second of which is no matter of the first's keys. */
async function createItems(sql: Sql, rows: number): Promise<void> {
  await sql.unsafe(`
    create table public.items (id integer primary key, country text, fresh integer);
    create table public.parts (id integer primary key, item integer, fresh integer);
    insert into public.items select n, case n % 4 when 0 then 'CH' else 'FR' end from generate_series(1, ${rows}) n;
    insert into public.parts select n, n from generate_series(1, 8) n;
    analyze public.items; analyze public.parts;`);
  await createPlan(sql, {
    table: 'items',
    key: 'id',
    keyType: 'integer',
    pending: 's.fresh is null',
    apply: 'update public.items set fresh = id where id = any (keys) and fresh is null;',
    stages: [
      {
        table: 'parts',
        key: 'id',
        keyType: 'integer',
        pending: 's.fresh is null',
        apply: 'update public.parts set fresh = id where id = any (keys) and fresh is null;',
      },
    ],
    writes: [
      { relation: 'public.items', entity: 'id', columns: ['fresh'] },
      { relation: 'public.parts', entity: 'id', stage: 2, columns: ['fresh'] },
    ],
  });
}

const itemsOf = async (sql: Sql, table = 'items') =>
  (await sql<{ id: number }[]>`select id from public.${sql(table)} where fresh is not null order by id`).map(
    ({ id }) => id,
  );

describe('keys and named cohorts', () => {
  test('are added to what the plan takes already; stages that no cohort names wait until a run takes all', async () => {
    const { sql } = await database({ app: 'none' });
    await createItems(sql, 20);
    await sql`insert into imago.plan_cohort (plan, name, condition) values
      (${PLAN}, 'swiss', 'source.country = ''CH'' -- of all')`;
    await migrate(sql, { plan: PLAN, cohort: { keys: [7, '03', 3] } });
    expect(await itemsOf(sql)).toEqual([3, 7]);
    expect(await progress(sql, PLAN)).toMatchObject({
      cohort: { percent: 0, keys: 2, names: [] },
      total: 2,
      outside: 26,
      stages: [
        { total: 2, outside: 18 },
        { total: 0, outside: 8 },
      ],
    });
    await migrate(sql, { plan: PLAN, cohort: { names: ['swiss'] } });
    expect(await itemsOf(sql)).toEqual([3, 4, 7, 8, 12, 16, 20]);
    expect(await itemsOf(sql, 'parts')).toEqual([]);
    // The app moves somebody into it.
    await sql`update public.items set country = 'CH' where id = 1`;
    await migrate(sql, { plan: PLAN });
    expect(await itemsOf(sql)).toEqual([1, 3, 4, 7, 8, 12, 16, 20]);

    await sql`insert into imago.plan_cohort (plan, name, stage, condition) values (${PLAN}, 'swiss', 2, 'source.id < 3')`;
    await migrate(sql, { plan: PLAN });
    expect(await itemsOf(sql, 'parts')).toEqual([1, 2]);
    // A cohort that the owner takes away leaves fewer, never all.
    await sql`delete from imago.plan_cohort`;
    await migrate(sql, { plan: PLAN });
    expect((await itemsOf(sql)).length).toBe(8);
    await migrate(sql, { plan: PLAN, cohort: { percent: 100 } });
    expect((await itemsOf(sql)).length).toBe(20);
    expect((await itemsOf(sql, 'parts')).length).toBe(8);
    await rollbackAll(sql, { plan: PLAN });
    expect(await itemsOf(sql)).toEqual([]);
  });

  test('are refused where they make no sense; no caller of the API can bring SQL of their own', async () => {
    const { sql } = await database({ app: 'none' });
    await createItems(sql, 4);
    await sql`insert into imago.plan_cohort (plan, name, condition) values (${PLAN}, 'swiss', 'source.country = ''CH''')`;
    for (const cohort of [
      '{}',
      '[]',
      '"percent"',
      '{"where": "true"}',
      '{"percent": 0}',
      '{"percent": 101}',
      '{"percent": "10"}',
      '{"percent": 0.00001}',
      '{"keys": []}',
      '{"keys": "1"}',
      '{"keys": ["1) or (true"]}',
      '{"keys": [{"id": 1}]}',
      '{"names": []}',
      '{"names": ["nobody"]}',
      '{"names": ["swiss\') or true --"]}',
      '{"names": [null]}',
    ]) {
      const args = { plan: PLAN, cohort: JSON.parse(cohort) };
      expect((await refusal(call(sql, 'migrate_batch', args))).code, cohort).toBe('IM015');
      expect((await refusal(call(sql, 'dry_run_migration', args))).code, cohort).toBe('IM015');
    }
    for (const role of ['service_role', 'authenticated', 'anon']) {
      for (const statement of [
        `insert into imago.plan_cohort (plan, name, condition) values ('${PLAN}', 'mine', 'true')`,
        `update imago.plan_cohort set condition = 'true'`,
        `insert into imago.cohort_taken (plan, percent) values ('${PLAN}', 10)`,
      ]) {
        const denied = await refusal(asRole(sql, role, null, (tx) => tx.unsafe(statement)));
        expect(denied.code, `${role}: ${statement}`).toBe('42501');
      }
    }
    expect(await value(sql, 'select count(*)::int from imago.run')).toBe(0);

    // Keys are values, in whatever they hold.
    await sql.unsafe(`
      create table public.notes (id text primary key, fresh text);
      insert into public.notes values ('a,b'), ('"}'), ('x''); drop table public.notes; --'), ('else');`);
    await createPlan(sql, {
      name: 'notes',
      table: 'notes',
      key: 'id',
      keyType: 'text',
      pending: 's.fresh is null',
      apply: 'update public.notes set fresh = id where id = any (keys) and fresh is null;',
      writes: [{ relation: 'public.notes', entity: 'id', columns: ['fresh'] }],
    });
    await migrate(sql, {
      plan: 'notes',
      cohort: { keys: ['a,b', '"}', "x'); drop table public.notes; --"] },
    });
    expect(await value(sql, 'select string_agg(id, $1) from public.notes where fresh is null', ['|'])).toBe(
      'else',
    );
  });

  test('that cannot be evaluated are named, and nobody is moved', async () => {
    const { sql } = await database({ app: 'none' });
    await createItems(sql, 4);
    await sql`insert into imago.plan_cohort (plan, name, condition) values (${PLAN}, 'broken', '1 / (source.id - 2) > 0')`;
    await call(sql, 'prepare_migration', { plan: PLAN });
    const broken = await refusal(migrate(sql, { plan: PLAN, cohort: { names: ['broken'] } }));
    expect(broken.code).toBe('IM071');
    expect(await itemsOf(sql)).toEqual([]);
    await sql`update imago.plan_cohort set condition = 'source.id = 2'`;
    await migrate(sql, { plan: PLAN, cohort: { names: ['broken'] } });
    expect(await itemsOf(sql)).toEqual([2]);
  });
});

describe('a run that is under way', () => {
  test('goes on with more when it is widened; what drives it need not know, and a smaller percentage is refused', async () => {
    const { sql } = await database({ app: 'sample', users: 200, avatars: 'prepared' });
    const first = await call(sql, 'migrate_batch', { cohort: { percent: 20 }, max_ms: 1, batch_size: 1 });
    const narrower = await refusal(call(sql, 'migrate_batch', { cohort: { percent: 10 } }));
    expect(narrower.code).toBe('IM085');
    expect(narrower.message).toContain('20 %');
    await call(sql, 'pause_migration');
    await call(sql, 'migrate_batch', { cohort: { percent: 40 } });
    await call(sql, 'resume_migration');
    const keys = (await usersOf(sql)).map(({ id }) => id);
    const in40 = keys.filter((key) => isIn(40, key));
    expect(await progress(sql)).toMatchObject({ total: in40.length, outside: 200 - in40.length });
    // The driver that began it says 20 at each call.
    const last = await migrate(sql, { cohort: { percent: 20 }, run: first.run });
    expect(last).toMatchObject({ run: first.run, state: 'succeeded', cohort: { percent: 40 } });
    expect(await movedOf(sql)).toEqual(in40);
  });

  test('is widened by one of many callers at any moment: each user moves once, and all of the wider cohort do', async () => {
    const db = await database({ app: 'sample', users: 200, avatars: 'prepared' });
    const { sql } = db;
    const args = { batch_size: 5, max_ms: 20 };
    await Promise.all([
      // Once it is widened, those who begin with fewer are refused.
      callAtOnce(db, 2, 'migrate_batch', { ...args, cohort: { percent: 30 } }).catch(({ code }) =>
        expect(code).toBe('IM085'),
      ),
      callAtOnce(db, 2, 'migrate_batch', { ...args, cohort: { percent: 60 } }),
    ]);
    await migrate(sql);
    const keys = (await usersOf(sql)).map(({ id }) => id);
    expect(await movedOf(sql)).toEqual(keys.filter((key) => isIn(60, key)));
    expect(await value(sql, 'select count(*)::int from public.avatars')).toBe(
      keys.filter((key) => isIn(60, key)).length,
    );
  });

  test('keeps what it takes where the caller who widens it is killed half-way, or cannot have it for itself', async () => {
    const { sql, connect } = await database({ app: 'sample', users: 200, avatars: 'prepared' });
    const first = await call(sql, 'migrate_batch', { cohort: { percent: 20 }, max_ms: 1, batch_size: 1 });
    const holder = connect();
    const widener = connect();
    const pid = await pidOf(widener);
    await holder.begin(async (tx) => {
      await tx`select imago.lock_run(${first.run}, true)`;
      const widened = call(widener, 'migrate_batch', { cohort: { percent: 80 } }).then(
        () => 'answered',
        () => 'killed',
      );
      await untilBlocked(sql, pid);
      await sql`select pg_terminate_backend(${pid})`;
      expect(await widened).toBe('killed');
      await sql`update imago.setting set value = '50' where name = 'state_lock_timeout_ms'`;
      expect(await call(sql, 'migrate_batch', { cohort: { percent: 80 } })).toMatchObject({
        status: 'busy',
        has_more: true,
      });
    });
    expect((await progress(sql)).cohort).toMatchObject({ percent: 20 });
    await migrate(sql);
    const keys = (await usersOf(sql)).map(({ id }) => id);
    expect(await movedOf(sql)).toEqual(keys.filter((key) => isIn(20, key)));
  });
});

describe('beside the app', () => {
  test('a sync that moves who signs up does so within the cohort only; others come when it is widened', async () => {
    const { sql } = await database({ app: 'none' });
    await sql.unsafe(`
      create table public.items (id integer primary key, fresh integer);
      insert into public.items select n from generate_series(1, 10) n;`);
    await createPlan(sql, {
      table: 'items',
      key: 'id',
      keyType: 'integer',
      pending: 's.fresh is null',
      apply: 'update public.items set fresh = id where id = any (keys) and fresh is null;',
      writes: [{ relation: 'public.items', entity: 'id', columns: ['fresh'] }],
      syncs: [
        {
          name: 'fresh',
          relation: 'public.items',
          entity: 'id',
          creates: true,
          statement:
            'update public.items i set fresh = n.id from new_rows n where i.id = n.id and i.fresh is null',
        },
      ],
    });
    await migrate(sql, { plan: PLAN, cohort: { percent: 30 } });
    await sql`insert into public.items select n from generate_series(11, 60) n`;
    const in30 = Array.from({ length: 60 }, (_, n) => n + 1).filter((n) => isIn(30, String(n)));
    expect(in30.some((n) => n > 10)).toBe(true);
    expect(await itemsOf(sql)).toEqual(in30);
    // An entity that the app names is moved all the same.
    const outside = 60 - (in30.includes(60) ? 1 : 0);
    await call(sql, 'migrate_entity', { plan: PLAN, entity: String(outside) });
    expect(await itemsOf(sql)).toContain(outside);
    await migrate(sql, { plan: PLAN, cohort: { percent: 100 } });
    await sql`insert into public.items values (61)`;
    expect((await itemsOf(sql)).length).toBe(61);
    await rollbackAll(sql, { plan: PLAN });
    expect(await itemsOf(sql)).toEqual([]);
  });

  test('keys that the app changes, or that are forgotten, are so in the cohort, too', async () => {
    const { sql } = await database({ app: 'none' });
    await createItems(sql, 4);
    await migrate(sql, { plan: PLAN, cohort: { keys: [1, 2] } });
    await sql`update public.items set id = 10 where id = 1`;
    await sql`delete from public.items where id = 2`;
    await call(sql, 'forget_entity', { plan: PLAN, entity: '2' });
    expect(await value(sql, 'select keys from imago.cohort_taken')).toEqual(['10']);
  });
});

describe('a dry run and a forecast', () => {
  test('are of the cohort that is asked for, and leave what runs take as it was', async () => {
    const { sql } = await database({ app: 'sample', users: 200 });
    const keys = (await usersOf0(sql)).map(({ id }) => id);
    const in25 = keys.filter((key) => isIn(25, key)).length;
    const cohort = { percent: 25 };
    for (const round of ['before prepare', 'prepared']) {
      const tried = await call(sql, 'dry_run_migration', { mode: 'full', cohort });
      expect(tried, round).toMatchObject({
        migrated: in25,
        stages: [{ outcome: 'complete', pending: in25 }],
        estimate: { total: in25 },
      });
      const forecast = await call(sql, 'forecast_migration', { cohort });
      expect(forecast, round).toMatchObject({ stages: [{ pending: in25 }] });
      expect(await value(sql, 'select count(*)::int from imago.cohort_taken')).toBe(0);
      await call(sql, 'prepare_migration');
      while ((await call(sql, 'prepare_migration')).has_more);
    }
    expect(await call(sql, 'dry_run_migration', { mode: 'full' })).toMatchObject({ migrated: 200 });
    await migrate(sql, { cohort: { percent: 10 } });
    const in10 = keys.filter((key) => isIn(10, key)).length;
    expect(await call(sql, 'dry_run_migration', { mode: 'full', cohort })).toMatchObject({
      migrated: in25 - in10,
    });
    // Without an option, it rehearses what a run would do.
    expect(await call(sql, 'dry_run_migration', { mode: 'full' })).toMatchObject({ migrated: 0 });
    expect((await refusal(call(sql, 'dry_run_migration', { cohort: { percent: 5 } }))).code).toBe('IM085');
  });
});

describe('the commands and the edge function', () => {
  test('take a cohort first, say who is outside, and a call that leaves it out moves nobody else', async () => {
    const { db, environment } = await freshProject({ users: 60 });
    const { sql } = db;
    const keys = (await usersOf0(sql)).map(({ id }) => id);
    const in20 = keys.filter((key) => isIn(20, key)).length;
    const in50 = keys.filter((key) => isIn(50, key)).length;
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await runCommand([...args], environment);
      return { code, said: stdout + stderr };
    };
    const tried = await run('--dry-run=full', '--percent', '20');
    expect(tried.said).toMatch(/Next +.*--percent 20/);
    expect(await value(sql, 'select count(*)::int from imago.run')).toBe(0);

    const first = await run('--yes', '--via-function', '--percent', '20');
    expect(first.said).toContain(`The cohort is done (20 %); ${60 - in20} users outside of it are pending.`);
    expect(first.said).toContain('--percent 100');
    expect(first.said).toContain(`${in20} of ${in20} users migrated (100 %)`);
    expect(first.said).toContain(`${60 - in20} outside of the cohort (20 %)`);
    expect(first.code).toBe(0);
    const again = JSON.parse(
      (await run('--yes', '--json')).said.split('\n').find((line) => line.startsWith('{')) ?? '',
    );
    expect(again).toMatchObject({
      status: 'done',
      migrated: 0,
      progress: { cohort: { percent: 20 }, outside: 60 - in20 },
    });
    const narrower = await run('--yes', '--percent', '10');
    expect(narrower.code).toBe(1);
    expect(narrower.said).toContain('IM085');
    // What it says to type is not refused again.
    expect(/Go on with what it takes: (.*?) *│/.exec(narrower.said)?.[1]).not.toContain('--percent');
    const outside = keys.find((key) => !isIn(50, key)) ?? '';
    expect((await run('--yes', '--percent', '50', '--key', outside)).said).toContain('(50 %, 1 by key)');
    expect((await movedOf(sql)).length).toBe(in50 + 1);
    expect(metrics('avatars', await progress(sql))).toContain(
      `imago_entities{plan="avatars",entities="users",state="outside"} ${60 - in50 - 1}`,
    );
    const all = await run('--yes', '--percent', '100');
    expect(all.said).toContain('All done.');
    expect(all.said).not.toContain('Outside');
    await expectAllMigrated(sql);
  });
});

describe('a scheduled run', () => {
  test('takes the cohort that schedule was given, and more when it is called again', async () => {
    const db = await database({ app: 'none' });
    const { sql } = db;
    await installCron(db);
    await createItems(sql, 40);
    const in25 = Array.from({ length: 40 }, (_, n) => n + 1).filter((n) => isIn(25, String(n)));
    const answer = await call(sql, 'schedule_migration', { plan: PLAN, cohort: { percent: 25 } });
    expect(answer).toMatchObject({ direction: 'forward', cohort: { percent: 25 } });
    await runJobsToTheEnd(db);
    expect(await itemsOf(sql)).toEqual(in25);
    expect(
      (await refusal(call(sql, 'schedule_migration', { plan: PLAN, finalize: true, cohort: {} }))).code,
    ).toBe('IM015');
    await call(sql, 'schedule_migration', { plan: PLAN });
    await runJobsToTheEnd(db);
    expect(await itemsOf(sql)).toEqual(in25);
    await call(sql, 'schedule_migration', { plan: PLAN, cohort: { percent: 100 } });
    await runJobsToTheEnd(db);
    expect((await itemsOf(sql)).length).toBe(40);
  });
});

const usersOf0 = (sql: Sql) => sql<{ id: string }[]>`select id from public.users order by id`;
