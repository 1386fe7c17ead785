import type { Sql } from 'postgres';
import { beforeEach, describe, expect, test } from 'vitest';
import { call, refusal } from '../support/call.ts';
import { prepare } from '../support/conformance/steps.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import {
  back,
  contents,
  createPlan,
  expectOneRowEach,
  forward,
  PLAN,
  type PlanParts,
} from '../support/plan.ts';

/**
 * Pictures move to a table of their own first; then each owner is given a picture, which must be there by then. The keys
 * of the stages differ in type, and those of the last are the same as texts as those of the first.
 */
const APP = `
  create table public.pictures (id integer primary key, url text not null);
  create table public.owners (id text primary key, picture integer, label text);
  create table public.images (id integer primary key, url text not null);
  alter table public.owners add image integer references public.images on delete set null;
  insert into public.pictures select n, 'url ' || n from generate_series(1, 40) n;
  insert into public.owners select n::text, case when n <= 40 then n end, 'owner ' || n from generate_series(1, 60) n;`;
const TABLES = ['public.pictures', 'public.owners', 'public.images'];

const parts: PlanParts = {
  table: 'pictures',
  key: 'id',
  keyType: 'integer',
  pending: 'not exists (select from public.images i where i.id = s.id)',
  apply:
    'insert into public.images select p.id, p.url from public.pictures p where p.id = any (keys) on conflict do nothing;',
  writes: [
    { relation: 'public.images', entity: 'id', inserts: true },
    {
      stage: 2,
      relation: 'public.owners',
      entity: 'id',
      columns: ['image', 'label'],
      points_to: { image: 'public.images' },
    },
  ],
  stages: [
    {
      table: 'owners',
      key: 'id',
      keyType: 'text',
      pending: `s.label not like 'moved%'`,
      apply: `update public.owners o set image = o.picture, label = 'moved ' || o.label where o.id = any (keys) and o.label not like 'moved%';`,
    },
  ],
};

describe('a plan of two stages', () => {
  let db: TestDatabase;
  let sql: Sql;

  beforeEach(async () => {
    db = await freshDatabase({ app: 'none' });
    sql = db.sql;
    await sql.unsafe(APP);
    await createPlan(sql, parts);
    return async () => await db.drop();
  });

  const left = async () =>
    (
      await sql`select (select count(*) from trial.pending)::int as first, (select count(*) from trial.pending_2)::int as second`
    )[0];
  const failures = async () => [
    ...(await sql`select stage, entity, kind, direction, table_name, reason from imago.failure order by stage, entity`),
  ];
  const stagesOf = async (direction: string) =>
    (
      await sql<{ stage: number }[]>`
        select (l.detail ->> 'stage')::int as stage from imago.log l join imago.run r on r.id = l.run
        where l.event = 'stage' and r.direction = ${direction} order by l.id`
    ).map(({ stage }) => stage);

  test('is moved stage after stage and taken back from the last to the first', async () => {
    const original = await contents(sql, TABLES);
    await forward(sql);
    expect(await left()).toEqual({ first: 0, second: 0 });
    expect(await stagesOf('forward')).toEqual([2]);
    expect((await sql`select count(*)::int as n from public.owners where image = picture`)[0]?.n).toBe(40);
    await back(sql);
    expect(await stagesOf('rollback')).toEqual([1]);
    expect(await contents(sql, TABLES)).toEqual(original);
  });

  test('is one plan in progress and statistics', async () => {
    const [before] = await sql`select public.get_detailed_migration_progress(${PLAN}) as p`;
    expect(before?.p).toMatchObject({
      total_users: 100,
      pending_users: 100,
      migration_completion_percentage: 0,
    });
    await migrateAll(sql, { plan: PLAN });
    const [after] =
      await sql`select public.get_detailed_migration_progress(${PLAN}) as p, public.get_migration_statistics(${PLAN}) as s`;
    expect(after?.p).toMatchObject({
      total_users: 100,
      migrated_users: 100,
      pending_users: 0,
      migration_completion_percentage: 100,
    });
    expect(after?.s).toMatchObject({ total_users: 100, migrated_users: 100, users_needing_migration: 0 });
    expect(after?.p.lanes).toContainEqual(
      expect.objectContaining({ stage: 2, pass: 'main', processed: 60, moved: 60 }),
    );
  });

  test('proves all stages at the end: what comes to the first while the second is on is moved', async () => {
    for (;;) {
      await sql`select public.migrate_batch(plan => ${PLAN}, max_ms => 1, batch_size => 1)`;
      const [row] =
        await sql`select count(*)::int as n from imago.lane where stage = 2 and pass = 'main' and processed > 0`;
      if (row?.n > 0) break;
    }
    await sql`insert into public.pictures values (1000, 'late')`;
    expect((await migrateAll(sql, { plan: PLAN, batch_size: 7 })).at(-1)).toMatchObject({
      state: 'succeeded',
    });
    expect(await left()).toEqual({ first: 0, second: 0 });
  });

  test('goes on to the second past a bad entity of the first, which is named with its stage', async () => {
    await sql`alter table public.images add constraint no_seven check (url <> 'url 7')`;
    expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 2,
    });
    // Owner 7 cannot have an image that is not there.
    expect(await failures()).toMatchObject([
      { stage: 1, entity: '7', kind: 'failed' },
      { stage: 2, entity: '7', kind: 'failed' },
    ]);
    expect(await left()).toEqual({ first: 1, second: 1 });
    await sql`alter table public.images drop constraint no_seven`;
    await sql`select public.retry_failed_migrations(${PLAN})`;
    expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'succeeded',
      failures_left: 0,
    });
    expect(await left()).toEqual({ first: 0, second: 0 });
    await expectOneRowEach(sql);
  });

  test('with a conflict in the second keeps what that refers to in the first', async () => {
    const original = await contents(sql, TABLES);
    await forward(sql);
    await sql`update public.owners set label = 'mine' where id = '5'`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 2 });
    expect(await failures()).toMatchObject([
      {
        stage: 1,
        entity: '5',
        kind: 'conflict',
        table_name: 'public.images',
        reason: 'referenced by public.owners',
      },
      { stage: 2, entity: '5', kind: 'conflict', table_name: 'public.owners', reason: 'changed' },
    ]);
    expect([...(await sql`select id from public.images`)]).toEqual([{ id: 5 }]);
    expect((await rollbackAll(sql, { plan: PLAN, force: true })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await contents(sql, TABLES)).toEqual(original);
  });

  test('rolled back half-way, in either stage, leaves all as before', async () => {
    const original = await contents(sql, TABLES);
    for (const until of [1, 2]) {
      for (;;) {
        await sql`select public.migrate_batch(plan => ${PLAN}, max_ms => 1, batch_size => 1)`;
        const [row] = await sql`
          select count(*)::int as n from imago.lane l
          where l.run = (select max(id) from imago.run) and l.stage = ${until} and l.pass = 'main' and l.moved > 0`;
        if (row?.n > 0) break;
      }
      await back(sql);
      expect(await contents(sql, TABLES)).toEqual(original);
    }
  });

  test('is moved by many callers at once, each entity once', async () => {
    await sql`insert into public.pictures select n, 'url ' || n from generate_series(1001, 4000) n`;
    await sql`insert into public.owners select n::text, n, 'owner ' || n from generate_series(1001, 4000) n`;
    await sql`analyze`;
    const callers = Array.from({ length: 8 }, () => db.connect());
    const answers = await Promise.all(
      callers.map((caller) => migrateAll(caller, { plan: PLAN, batch_size: 50 })),
    );
    await Promise.all(callers.map((caller) => caller.end()));
    expect(answers.flat().reduce((sum, answer) => sum + answer.migrated, 0)).toBe(100 + 6000);
    expect(await left()).toEqual({ first: 0, second: 0 });
    expect([...(await sql`select label from public.owners where label like 'moved moved%'`)]).toEqual([]);
    // Who comes when all is done opens a run that finds nothing.
    expect([...(await sql`select distinct state from imago.run`)]).toEqual([{ state: 'succeeded' }]);
    await expectOneRowEach(sql);
  });

  test('on large tables is walked once more by the proof', async () => {
    await sql`update imago.setting set value = '0' where name = 'proof_mb'`;
    await forward(sql);
    expect(await left()).toEqual({ first: 0, second: 0 });
    const [late] =
      await sql`select sum(processed)::int as n from imago.lane where pass = 'late' and moved = 0`;
    expect(late?.n).toBe(100);
  });

  test('is gone through by a full dry run, which leaves nothing', async () => {
    const original = await contents(sql, TABLES);
    const [row] = await sql`select public.dry_run_migration(${PLAN}, 'full') as answer`;
    expect(row?.answer).toMatchObject({
      migrated: 100,
      failures: [],
      undeclared: [],
      rows: { 'public.images': 40, 'public.owners': 60 },
    });
    expect(await contents(sql, TABLES)).toEqual(original);
  });

  describe('one entity alone', () => {
    const move = (entity: string, stage?: number) =>
      call(sql, 'migrate_entity', { plan: PLAN, entity, ...(stage && { stage }) });
    const takeBack = (entity: string, args: Record<string, unknown> = {}) =>
      call(sql, 'rollback_entity', { plan: PLAN, entity, ...args });
    const owner = async (id: string) =>
      (await sql`select label, image from public.owners where id = ${id}`)[0];

    test('is moved and taken back in any stage, and held there', async () => {
      const original = await contents(sql, TABLES);
      await forward(sql);
      expect(await takeBack('50', { stage: 2 })).toMatchObject({
        entity: '50',
        stage: 2,
        rolled_back: true,
        restored: { 'public.owners': 1 },
      });
      expect(await owner('50')).toEqual({ label: 'owner 50', image: null });
      expect(await failures()).toMatchObject([{ stage: 2, entity: '50', kind: 'held' }]);
      // No batch moves it again, and what was asked for once need not be asked for by its stage: no picture is 50.
      await migrateAll(sql, { plan: PLAN });
      expect(await left()).toEqual({ first: 0, second: 1 });
      expect(await takeBack('50')).toMatchObject({ rolled_back: false, conflicts: [] });
      expect(await move('50')).toMatchObject({ entity: '50', stage: 2, migrated: true });
      expect(await failures()).toEqual([]);
      expect(await owner('50')).toMatchObject({ label: 'moved owner 50' });
      expect(await takeBack('7', { stage: 2 })).toMatchObject({ rolled_back: true });
      const first = await takeBack('007');
      expect(first).toMatchObject({ entity: '7', rolled_back: true, removed: { 'public.images': 1 } });
      expect(first).not.toHaveProperty('stage');
      expect(await failures()).toMatchObject([
        { stage: 1, entity: '7', kind: 'held' },
        { stage: 2, entity: '7', kind: 'held' },
      ]);
      await back(sql);
      expect(await contents(sql, TABLES)).toEqual(original);
    });

    test('keeps what a later stage refers to, and says so', async () => {
      await forward(sql);
      expect(await takeBack('7', { stage: 1 })).toMatchObject({
        rolled_back: false,
        conflicts: [{ relation: 'public.images', key: '7', reason: 'referenced by public.owners' }],
      });
      expect(await takeBack('7', { stage: 1, force: true })).toMatchObject({ rolled_back: false });
    });

    test('is asked for by its stage where several stages know the key', async () => {
      await forward(sql);
      for (const ask of [move, takeBack]) {
        expect(await refusal(ask('7'))).toMatchObject({ code: 'IM051', hint: 'Say which: stage => 1.' });
      }
      expect(await failures()).toEqual([]);
      expect(await refusal(move('7', 3))).toMatchObject({
        code: 'IM015',
        hint: 'Allowed: 1 (public.pictures), 2 (public.owners).',
      });
      for (const unknown of ['61', 'nobody', ''])
        expect(await refusal(move(unknown))).toMatchObject({ code: 'IM013' });
      expect(await takeBack('nobody')).toMatchObject({ rolled_back: false, conflicts: [] });
    });

    test('waits for the stages before its own', async () => {
      await prepare(sql, PLAN);
      expect(await refusal(move('7', 2))).toMatchObject({ code: 'IM052' });
      expect(await move('7', 1)).toMatchObject({ migrated: true });
      expect(await refusal(move('50'))).toMatchObject({ code: 'IM052' });
      await forward(sql);
      await takeBack('50');
      expect(await move('50')).toMatchObject({ migrated: true, skipped: false });
      expect(await move('50')).toMatchObject({ migrated: false, skipped: true });
      // After everything went back the stages begin again.
      await back(sql);
      await prepare(sql, PLAN);
      expect(await refusal(move('50'))).toMatchObject({ code: 'IM052' });
    });
  });

  test('with a declaration for a stage that there is not is refused by name', async () => {
    await sql`update imago.plan_write set stage = 3 where stage = 2`;
    await expect(migrateAll(sql, { plan: PLAN })).rejects.toMatchObject({ code: 'IM045' });
  });

  test('is looked at by the preflight in every stage', async () => {
    await sql`alter table public.owners rename to holders`;
    await expect(sql`select public.migrate_batch(plan => ${PLAN})`).rejects.toMatchObject({
      code: 'IM006',
      message: expect.stringContaining('public.owners'),
    });
  });
});

test('what a trigger of the app writes to the next stage in a batch of the first goes back', async () => {
  const db = await freshDatabase({ app: 'none' });
  const { sql } = db;
  try {
    await sql.unsafe(`${APP}
      create function public.touch() returns trigger language plpgsql as $$
      begin
        update public.owners set label = 'a' where picture = new.id;
        update public.owners set label = 'b' where picture = new.id;
        return null;
      end $$;
      create trigger touch after insert on public.images for each row execute function public.touch();`);
    await createPlan(sql, parts);
    const original = await contents(sql, TABLES);
    await forward(sql);
    await back(sql);
    expect(await contents(sql, TABLES)).toEqual(original);
  } finally {
    await db.drop();
  }
});
