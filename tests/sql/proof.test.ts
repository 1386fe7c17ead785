import { beforeEach, describe, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { createPlan, PLAN } from '../support/plan.ts';

/** How a run proves that nothing is left: small tables by one query, large ones by walking them once more. */
describe('the proof at the end of a run', () => {
  let db: TestDatabase;

  beforeEach(async () => {
    db = await freshDatabase({ app: 'none' });
    await db.sql`create table public.items (id integer primary key, old text, new text)`;
    await db.sql`insert into public.items (id, old) select n, 'value ' || n from generate_series(10001, 13000) n`;
    await createPlan(db.sql, {
      table: 'items',
      key: 'id',
      keyType: 'integer',
      pending: 's.new is null',
      apply: 'update public.items i set new = upper(i.old) where i.id = any (keys) and i.new is null;',
      writes: [{ relation: 'public.items', entity: 'id', columns: ['new'] }],
    });
    return async () => await db.drop();
  });

  const walked = async () =>
    (
      await db.sql`
        select coalesce(sum(processed), 0)::int as processed, bool_and(done) as done from imago.lane where pass = 'late'`
    )[0];
  const left = async () => (await db.sql`select count(*)::int as n from trial.pending`)[0]?.n;

  test('does not walk small tables a second time', async () => {
    expect((await migrateAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({
      status: 'done',
      state: 'succeeded',
    });
    expect(await walked()).toEqual({ processed: 0, done: true });
    expect(await left()).toBe(0);
  });

  test('walks large tables a second time', async () => {
    await db.sql`update imago.setting set value = '0' where name = 'proof_mb'`;
    expect((await migrateAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({
      status: 'done',
      state: 'succeeded',
    });
    expect(await walked()).toEqual({ processed: 3000, done: true });
    expect(await left()).toBe(0);
  });

  test.each([
    ['a few', 7, '512'],
    ['a few, on large tables', 7, '0'],
    ['more than the end moves by itself', 2500, '512'],
  ])('moves users that arrive behind the cursor: %s', async (_, rows, megabytes) => {
    await db.sql`update imago.setting set value = ${megabytes} where name = 'proof_mb'`;
    let moved = 0;
    while (moved === 0) {
      const [row] =
        await db.sql`select public.migrate_batch(plan => ${PLAN}, max_ms => 1, batch_size => 500) as answer`;
      moved = row?.answer.migrated;
    }
    await db.sql`insert into public.items (id, old) select n, 'late ' || n from generate_series(1, ${rows}::int) n`;
    const answers = await migrateAll(db.sql, { plan: PLAN });
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(moved + answers.reduce((sum, answer) => sum + answer.migrated, 0)).toBe(3000 + rows);
    expect(await left()).toBe(0);
  });
});
