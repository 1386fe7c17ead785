/** Progress that is watched while others work: counted, and estimated on large tables. */
import { afterEach, describe, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { type App, freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createTally, itemsLeft } from '../support/tally.ts';

const databases: TestDatabase[] = [];

async function database(app: App, users = 0): Promise<TestDatabase> {
  const db = await freshDatabase({ app, users });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

describe('progress', () => {
  /** Looks at the progress again and again until the work has ended; it must never lie. */
  async function watched(db: TestDatabase, plan: string, work: () => Promise<unknown>): Promise<number[]> {
    const client = db.connect();
    await client`select`;
    let going = true;
    const seen: number[] = [];
    const ended = work().finally(() => {
      going = false;
    });
    const watching = (async () => {
      while (going) {
        const progress = await call(client, 'get_detailed_migration_progress', { plan });
        const percentage = progress.migration_completion_percentage;
        expect(percentage).toBeLessThanOrEqual(100);
        expect(progress.migrated_users).toBeLessThanOrEqual(progress.total_users);
        if (percentage === 100) expect(progress.pending_users).toBe(0);
        seen.push(percentage);
      }
    })();
    await Promise.all([ended, watching]);
    return seen;
  }
  const inOrder = (numbers: number[]) => [...numbers].sort((a, b) => a - b);

  test('that is counted never passes 100 and never goes back', async () => {
    const db = await database('sample', 400);
    const work = async () => {
      while ((await call(db.sql, 'migrate_batch', { batch_size: 15, max_ms: 1 })).has_more);
    };
    const seen = await watched(db, 'avatars', work);
    expect(new Set(seen).size).toBeGreaterThan(1);
    expect(seen).toEqual(inOrder(seen));
  });

  test('that is estimated never passes 100 and never goes back, with deletions and a failure', async () => {
    const db = await database('none');
    const keys = Array.from({ length: 104_000 }, (_, i) => i);
    await createTally(db.sql, 'bigint', keys, { body: `if 777 = any (keys) then raise 'no'; end if;` });
    const deleting = async () => {
      const app = db.connect();
      // Rows that are walked already and rows that are still to come.
      for (let i = 0; i < 20; i++) {
        await app`delete from public.items where id in (select id from public.items where id % 997 = ${i} for update skip locked)`;
      }
    };
    const work = () =>
      Promise.all([migrateAll(db.sql, { plan: 'tally' }), migrateAll(db.sql, { plan: 'tally' }), deleting()]);
    const seen = await watched(db, 'tally', work);
    expect(new Set(seen).size).toBeGreaterThan(1);
    expect(seen).toEqual(inOrder(seen));
    expect(await itemsLeft(db.sql)).toBe(1);
    expect(await call(db.sql, 'get_detailed_migration_progress', { plan: 'tally' })).toMatchObject({
      failed_users: 1,
      pending_users: 1,
      total_is_estimate: true,
    });
  });

  test('that is estimated counts the entities that the plan concerns, forward and back', async () => {
    const db = await database('none');
    const keys = Array.from({ length: 101_000 }, (_, i) => i);
    await createTally(db.sql, 'bigint', keys, { pending: `not i.done and i.id < 20000` });
    await db.sql`create view tally.concerned as select i.id as entity from public.items i where i.id < 20000`;
    const about = (pending: number, migrated: number) => ({
      total_is_estimate: true,
      pending_users: expect.toSatisfy((n: number) => Math.abs(n - pending) < 400),
      migrated_users: expect.toSatisfy((n: number) => Math.abs(n - migrated) < 400),
    });
    const progress = () => call(db.sql, 'get_detailed_migration_progress', { plan: 'tally' });
    const half = async (name: string) => {
      const args = { plan: 'tally', max_ms: 1 };
      const share = `select coalesce(sum(moved), 0)::int from imago.lane where run = (select max(id) from imago.run)`;
      do await call(db.sql, name, args);
      while ((await value<number>(db.sql, share)) < 10_000);
      return await value<number>(db.sql, share);
    };
    expect(await progress()).toMatchObject(about(20_000, 0));
    await half('migrate_batch');
    await migrateAll(db.sql, { plan: 'tally' });
    expect(await progress()).toMatchObject({ ...about(0, 20_000), migration_completion_percentage: 100 });
    expect(await call(db.sql, 'get_migration_statistics', { plan: 'tally' })).toMatchObject({
      total_users: 20_000,
      migrated_users: 20_000,
      users_needing_migration: 0,
    });
    const back = await half('rollback_batch');
    expect(await progress()).toMatchObject(about(back, 20_000 - back));
    // A second rollback goes on where the first was given up.
    await call(db.sql, 'cancel_migration', { plan: 'tally' });
    await call(db.sql, 'rollback_batch', { plan: 'tally', max_ms: 1 });
    const left = await value<number>(db.sql, 'select count(*)::int from public.items where done');
    expect(await progress()).toMatchObject(about(20_000 - left, left));
    const seen = await watched(db, 'tally', () => rollbackAll(db.sql, { plan: 'tally' }));
    expect(seen).toEqual(inOrder(seen).reverse());
    expect(await progress()).toMatchObject({ ...about(20_000, 0), migration_completion_percentage: 0 });
  });
});
