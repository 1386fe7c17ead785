import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { everything } from '../support/everything.ts';
import { createPlan, PLAN, type PlanParts } from '../support/plan.ts';
import { createTally } from '../support/tally.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

/** A table of so many items and the plan `tally` over it. */
async function tally(count: number, body = '', prepared = true): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'none' });
  databases.push(db);
  const keys = Array.from({ length: count }, (_, i) => i + 1);
  await createTally(db.sql, 'integer', keys, { body });
  if (prepared) await prepareAll(db.sql, 'tally');
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const dryRun = (sql: Sql, mode: string, args: Record<string, unknown> = {}) =>
  call(sql, 'dry_run_migration', { plan: 'tally', mode, ...args });

/** Seconds of work, of which each item takes some milliseconds. */
const slowly = (ms: number) => `perform pg_sleep(${ms / 1000} * cardinality(keys));`;

describe('beside an app that writes', () => {
  test.each([
    ['prepared', true],
    ['unprepared', false],
  ])(
    'a full dry run of a minute ends when a write waits for it, and none of the writes fails: %s',
    async (_, prepared) => {
      const db = await tally(6000, slowly(10), prepared);
      const before = await everything(db.sql);
      const app = db.connect({ connection: { statement_timeout: 5000 } });
      let running = true;
      let writes = 0;
      const dry = dryRun(db.sql, 'full').finally(() => {
        running = false;
      });
      dry.catch(() => {});
      while (running) {
        await app`update public.items set label = label where id = 1 + ${writes++} % 200`;
      }
      const ended = await dry.then(
        ({ stages }) => stages,
        ({ code }) => code,
      );
      // The write may have come while it prepared, which is given up as a whole.
      if (prepared || ended !== 'IM079') {
        expect(ended).toMatchObject([{ outcome: 'part', reason: 'waiters', pending: 6000 }]);
      }
      expect(writes).toBeGreaterThan(0);
      expect((await everything(db.sql)).rows).toEqual(before.rows);
    },
  );

  test('preparing gives up with IM079 when a read waits for its table, which then goes through', async () => {
    const db = await tally(10, '', false);
    await db.sql.unsafe(`
      create function tally.widen() returns void language sql as 'alter table public.items add column if not exists note text';
      create function tally.ponder() returns void language sql as 'select pg_sleep(1)';
      insert into imago.plan_step (plan, position, name, routine) values ('tally', 1, 'note', 'widen'), ('tally', 2, 'a pause', 'ponder');`);
    const before = await everything(db.sql);
    const dry = refusal(dryRun(db.sql, 'sample'));
    const app = db.connect({ connection: { statement_timeout: 10_000 } });
    await until('preparing pauses', async () => {
      const rows =
        await app`select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;
      return rows.length > 0;
    });
    expect(await value(app, 'select count(*)::int from public.items')).toBe(10);
    expect(await dry).toMatchObject({ code: 'IM079', message: expect.stringContaining('others wait') });
    expect(await everything(db.sql)).toEqual(before);
  });

  test('preparing gives up with IM079 where others hold one of its tables while it holds another', async () => {
    const db = await freshDatabase({ app: 'sample', users: 10 });
    databases.push(db);
    const before = await everything(db.sql);
    const app = await db.connect().reserve();
    await app.unsafe('begin; update public.follows set id = id');
    expect(await refusal(call(db.sql, 'dry_run_migration'))).toMatchObject({
      code: 'IM079',
      message: expect.stringContaining('others hold'),
    });
    await app.unsafe('rollback');
    app.release();
    expect(await everything(db.sql)).toEqual(before);
    expect(await call(db.sql, 'dry_run_migration')).toMatchObject({ migrated: 10 });
  });

  test('a step of prepare that cannot run inside of it is refused with IM079', async () => {
    const db = await tally(10, '', false);
    await db.sql.unsafe(`
      create function tally.index() returns boolean language sql as 'select false';
      insert into imago.plan_step (plan, position, name, routine, direct, statement) values
        ('tally', 1, 'an index', 'index', true, 'create index concurrently on public.items (label)');`);
    expect(await refusal(dryRun(db.sql, 'full'))).toMatchObject({
      code: 'IM079',
      message: expect.stringContaining('outside of a transaction'),
    });
  });

  test('what the app holds is locked, not failed; the rest is tried', async () => {
    const db = await tally(50);
    const app = await db.connect().reserve();
    await app.unsafe('begin; update public.items set label = label where id in (7, 8)');
    const dry = await dryRun(db.sql, 'full');
    await app.unsafe('rollback');
    app.release();
    expect(dry).toMatchObject({ migrated: 48, failed: 0 });
    expect(dry.stages).toMatchObject([
      { outcome: 'part', reason: 'locked', tried: 48, moved: 48, failed: 0, locked: 2 },
    ]);
  });

  test('where the app holds the whole table, nothing is tried, and that is said', async () => {
    const db = await tally(50);
    const app = await db.connect().reserve();
    await app.unsafe('begin; lock table public.items in exclusive mode');
    const dry = await dryRun(db.sql, 'sample', { max_ms: 300 });
    await app.unsafe('rollback');
    app.release();
    expect(dry.stages).toMatchObject([{ outcome: 'not_tried', reason: 'locked', pending: 50, tried: 0 }]);
    expect(dry.estimate).toMatchObject({ total: 50, seconds: null, unknown_stages: [1] });
  });

  test('a call of a real run that waits for it ends it', async () => {
    const db = await tally(6000, slowly(10));
    await call(db.sql, 'migrate_batch', { plan: 'tally', max_ms: 1, batch_size: 1 });
    const dry = dryRun(db.sql, 'full');
    const caller = db.connect();
    const pid = await pidOf(caller);
    await until('the dry run works', async () => {
      const rows =
        await caller`select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;
      return rows.length > 0;
    });
    const paused = call(caller, 'pause_migration', { plan: 'tally' });
    await untilBlocked(db.connect(), pid);
    expect(await paused).toMatchObject({ state: 'paused' });
    expect((await dry).stages).toMatchObject([{ reason: 'waiters' }]);
  });

  test('a second dry run is refused with IM080, and does not end the first', async () => {
    const db = await tally(300, slowly(10));
    const first = dryRun(db.sql, 'full', { max_ms: 1500 });
    const other = db.connect();
    await until('the first works', async () => {
      const rows =
        await other`select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;
      return rows.length > 0;
    });
    expect(await refusal(dryRun(other, 'sample'))).toMatchObject({ code: 'IM080' });
    expect((await first).stages).toMatchObject([{ reason: 'time' }]);
    expect(await dryRun(other, 'sample', { max_ms: 100 })).toMatchObject({ dry_run: true });
  });
});

describe('bounds', () => {
  test('a full dry run ends with its time: by max_ms, else by the setting dry_run_ms', async () => {
    const db = await tally(6000, slowly(10));
    const before = await everything(db.sql);
    const given = await dryRun(db.sql, 'full', { max_ms: 300 });
    expect(given).toMatchObject({ status: 'working', has_more: true, limits: { full_ms: 300 } });
    expect(given.stages).toMatchObject([{ outcome: 'part', reason: 'time', pending: 6000 }]);
    expect(await everything(db.sql)).toEqual(before);
    await db.sql`update imago.setting set value = '200' where name = 'dry_run_ms'`;
    expect(await dryRun(db.sql, 'full')).toMatchObject({
      limits: { full_ms: 200 },
      stages: [{ outcome: 'part', reason: 'time' }],
    });
  });

  test('it ends before the statement timeout of its caller, with what it has seen', async () => {
    const db = await tally(6000, slowly(10));
    const api = db.connect({ connection: { statement_timeout: 3000 } });
    expect((await dryRun(api, 'full')).stages).toMatchObject([{ outcome: 'part', reason: 'time' }]);
  });

  test.each(['sample', 'full'])(
    'apply fails for everybody: mode %s stops at the error budget of a run',
    async (mode) => {
      const db = await tally(1000, `raise exception 'never';`);
      const before = await everything(db.sql);
      const dry = await dryRun(db.sql, mode, { max_ms: 60_000 });
      // A sample may run out of time first.
      const failed = dry.failed;
      expect(failed).toBeGreaterThan(0);
      expect(failed).toBeLessThanOrEqual(101);
      if (mode === 'full') {
        expect(dry).toMatchObject({ status: 'failed', failed: 101, error: { code: 'IM020' } });
        expect(dry.error.hint).not.toContain('retry');
        expect(dry.stages).toMatchObject([{ outcome: 'part', reason: 'failures', failed: 101, moved: 0 }]);
        expect(dry.estimate).toMatchObject({ total: 1000, seconds: null, unknown_stages: [1] });
      }
      expect(await everything(db.sql)).toEqual(before);
    },
  );

  test('apply takes a moment before it fails: who fails is found all the same, one after the other', async () => {
    const db = await tally(12, `perform pg_sleep(0.1); raise exception 'never';`);
    expect(await dryRun(db.sql, 'full')).toMatchObject({
      failed: 12,
      migrated: 0,
      stages: [{ outcome: 'complete', failed: 12, moved: 0 }],
    });
  });

  test('the error budget is that of the unfinished run, whose place it takes', async () => {
    const db = await tally(100, `if keys && array[50, 51, 52] then raise exception 'not these'; end if;`);
    await call(db.sql, 'migrate_batch', { plan: 'tally', max_ms: 1, batch_size: 1, max_failures: '1' });
    expect(await dryRun(db.sql, 'full')).toMatchObject({
      status: 'failed',
      error: { code: 'IM020', message: expect.stringContaining('2 of 1 allowed') },
    });
  });

  test('rows that the journal has not seen stop it with IM060, whose remedy fits a dry run', async () => {
    const db = await tally(10);
    await db.sql.unsafe('alter table public.items disable trigger "~imago_tally_update"');
    const dry = await dryRun(db.sql, 'sample');
    expect(dry).toMatchObject({ status: 'failed', migrated: 0, error: { code: 'IM060' } });
    expect(dry.error.hint).not.toContain('retry');
    expect(dry.stages).toMatchObject([{ outcome: 'not_tried', reason: 'error' }]);
  });

  test('cancelled by a person it leaves nothing', async () => {
    const db = await tally(6000, slowly(10));
    const before = await everything(db.sql);
    const client = db.connect();
    const pid = await pidOf(client);
    const dry = refusal(dryRun(client, 'full'));
    await until('it works', async () => {
      const rows = await db.sql`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`;
      return rows.length > 0;
    });
    await db.sql`select pg_cancel_backend(${pid})`;
    expect(await dry).toMatchObject({ code: '57014' });
    expect(await everything(db.sql)).toEqual(before);
  });
});

describe('which locks', () => {
  const rank = ['ROW EXCLUSIVE', 'SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'];

  test.each([
    ['not prepared', 'ACCESS EXCLUSIVE'],
    ['prepared', 'ROW EXCLUSIVE'],
  ])(
    'the preflight says before what a dry run then holds, and no more is held: %s',
    async (state, strongest) => {
      const db = await freshDatabase({ app: 'sample', users: 60 });
      databases.push(db);
      if (state === 'prepared') await prepareAll(db.sql);
      const ahead = await call(db.sql, 'dry_run_migration', { mode: 'preflight', max_ms: 700 });
      expect(new Set(ahead.locks.map(({ mode }: Answer) => mode))).toEqual(new Set([strongest]));
      const prepare_ms = state === 'prepared' ? 0 : 2500;
      expect(ahead.limits).toEqual({
        sample_ms: prepare_ms + (prepare_ms ? 500 : 700),
        full_ms: prepare_ms + 700,
        prepare_ms,
        wait_ms: 250,
      });
      const { locks } = await call(db.sql, 'dry_run_migration', { mode: 'full' });
      expect(locks.map(({ object }: Answer) => object)).toEqual(
        expect.arrayContaining(['public.follows', 'public.posts', 'public.users']),
      );
      for (const { object, mode } of locks) {
        const said = ahead.locks.find((lock: Answer) => lock.object === object);
        expect([object, rank.indexOf(mode)]).toEqual([
          object,
          Math.min(rank.indexOf(mode), rank.indexOf(said?.mode)),
        ]);
      }
    },
  );
});

/** Pictures, then owners, who may be given a picture only when it is there. */
const twoStages = (first: string, second: string): PlanParts => ({
  table: 'pictures',
  key: 'id',
  keyType: 'integer',
  pending: 'not exists (select from public.images i where i.id = s.id)',
  apply: `${first} insert into public.images select p.id, p.url from public.pictures p where p.id = any (keys) on conflict do nothing;`,
  writes: [
    { relation: 'public.images', entity: 'id', inserts: true },
    { stage: 2, relation: 'public.owners', entity: 'id', columns: ['image'] },
  ],
  stages: [
    {
      table: 'owners',
      key: 'id',
      keyType: 'text',
      pending: 's.image is distinct from s.picture',
      apply: `${second} update public.owners o set image = o.picture where o.id = any (keys);`,
    },
  ],
});

describe('a plan of two stages', () => {
  async function pictures(count: number, owners: string, first = '', second = ''): Promise<TestDatabase> {
    const db = await freshDatabase({ app: 'none' });
    databases.push(db);
    await db.sql.unsafe(`
      create table public.pictures (id integer primary key, url text not null);
      create table public.images (id integer primary key, url text not null);
      create table public.owners (id text primary key, picture integer, image integer references public.images);
      insert into public.pictures select n, 'url ' || n from generate_series(1, ${count}) n;
      ${owners}`);
    await createPlan(db.sql, twoStages(first, second));
    return db;
  }

  const free = `insert into public.owners select n::text, null, null from generate_series(1, 3) n;`;
  /** Owners of pictures that the sample cannot come to. */
  const bound = (from: number, to: number) =>
    `insert into public.owners select n::text, n, null from generate_series(${from}, ${to}) n;`;

  test('a sample gives each its share of the time, and counts, measures and estimates each by itself', async () => {
    const owners = `
      insert into public.images select n, 'there' from generate_series(-5, -1) n;
      insert into public.owners select n::text, n, null from generate_series(-5, -1) n;`;
    const db = await pictures(3000, owners, slowly(10));
    await prepareAll(db.sql, PLAN);
    const before = await everything(db.sql);
    const dry = await call(db.sql, 'dry_run_migration', { plan: PLAN, max_ms: 1000 });
    expect(await everything(db.sql)).toEqual(before);
    const [first, second] = dry.stages;
    expect(first).toMatchObject({
      stage: 1,
      object: 'public.pictures',
      entity_plural: 'pictures',
      outcome: 'part',
      reason: 'time',
      pending: 3000,
      failed: 0,
    });
    expect(second).toMatchObject({
      stage: 2,
      outcome: 'complete',
      reason: null,
      pending: 5,
      tried: 5,
      moved: 5,
    });
    expect(first.tried).toBeLessThan(3000);
    expect(first.seconds).toBeGreaterThanOrEqual(25);
    expect(dry.estimate).toMatchObject({
      total: 3005,
      seconds: first.seconds + second.seconds,
      unknown_stages: [],
      rows: { 'public.images': 3000, 'public.owners': 5 },
    });
    expect(dry).toMatchObject({ status: 'working', has_more: true, migrated: first.moved + 5 });
  });

  test('who fails for want of what the first moves is no failure, and the estimate is not known', async () => {
    const db = await pictures(3000, bound(2990, 3000), slowly(10));
    const dry = await call(db.sql, 'dry_run_migration', { plan: PLAN, max_ms: 800 });
    expect(dry.failed).toBe(0);
    expect(dry.failures[0]).toMatchObject({ stage: 2, sqlstate: '23503', unsure: true });
    expect(dry.stages[1]).toMatchObject({
      outcome: 'not_tried',
      reason: 'earlier_stage',
      pending: 11,
      tried: 0,
      failed: 0,
    });
    expect(dry.stages[1].unsure).toBeGreaterThan(0);
    expect(dry.estimate).toMatchObject({ total: 3011, seconds: null, unknown_stages: [2] });
  });

  test('a full dry run that runs out of time in the first names the second as not tried', async () => {
    const db = await pictures(3000, bound(1, 5), slowly(10));
    const dry = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'full', max_ms: 300 });
    expect(dry.stages).toMatchObject([
      { outcome: 'part', reason: 'time' },
      { outcome: 'not_tried', reason: 'time', pending: 5, tried: 0 },
    ]);
    expect(dry.estimate).toMatchObject({ seconds: null, unknown_stages: [2] });
  });

  test('where the first stops at the error budget, the second is not tried', async () => {
    const db = await pictures(300, bound(1, 5), `raise exception 'never';`);
    const dry = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'full' });
    expect(dry.stages).toMatchObject([
      { outcome: 'part', reason: 'failures', failed: 101 },
      { outcome: 'not_tried', reason: 'failures' },
    ]);
  });

  test('a stage with nothing pending says so; what is complete is complete', async () => {
    const db = await pictures(20, free);
    const dry = await call(db.sql, 'dry_run_migration', { plan: PLAN });
    expect(dry).toMatchObject({ status: 'done', has_more: false, migrated: 20 });
    expect(dry.stages).toMatchObject([
      { outcome: 'complete', tried: 20, moved: 20 },
      { outcome: 'nothing_pending', pending: 0, tried: 0, seconds: 0 },
    ]);
  });

  test('a sample of a plan that is half done looks for what is pending, behind much that is not', async () => {
    // No more than what fits the second that is its share on a busy machine, too.
    const db = await pictures(4_000, free);
    await db.sql.unsafe('insert into public.images select id, url from public.pictures where id <= 3990');
    await prepareAll(db.sql, PLAN);
    const dry = await call(db.sql, 'dry_run_migration', { plan: PLAN });
    expect(dry.stages).toMatchObject([
      { outcome: 'complete', pending: 10, tried: 10 },
      { outcome: 'nothing_pending' },
    ]);
  });
});
