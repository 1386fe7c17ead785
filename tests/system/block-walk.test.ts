import { beforeEach, describe, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { type BatchResult, migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, forward, PLAN } from '../support/plan.ts';

/** Large tables with keys that have nothing to do with the order of their rows are walked in the order of the disk. */
describe('a main pass by blocks', () => {
  let db: TestDatabase;

  beforeEach(async () => {
    db = await freshDatabase({ app: 'none' });
    await db.sql`update imago.setting set value = '0' where name = 'block_walk_percent'`;
    return async () => await db.drop();
  });

  /** 6,000 items in several lanes, each with room for few neighbours on its page. */
  async function items(key: 'uuid' | 'integer', partition = ''): Promise<void> {
    await db.sql.unsafe(`
      create table public.items
        (id ${key} primary key, place integer, old text, new text, filler text default repeat('x', 100)) ${partition && 'partition by hash (id)'};
      ${partition}
      insert into public.items (id, place, old)
      select ${key === 'uuid' ? 'md5(n::text)::uuid' : 'n'}, n, 'value ' || n from generate_series(1, 6000) n;
      analyze public.items;`);
    await createPlan(db.sql, {
      table: 'items',
      key: 'id',
      keyType: key,
      pending: 's.new is null',
      apply: `
        if exists (select from public.items i where i.id = any (keys) and i.old = 'poison') then
          raise exception using errcode = 'P0001';
        end if;
        update public.items i set new = upper(i.old) where i.id = any (keys) and i.new is null;`,
      writes: [{ relation: 'public.items', entity: 'id', columns: ['new'] }],
    });
  }

  const lanes = async (direction = 'forward') =>
    [
      ...(await db.sql`
        select l.by_block, count(*)::int as n
        from imago.lane l join imago.run r on r.id = l.run
        where l.pass = 'main' and r.direction = ${direction} group by l.by_block`),
    ].map(({ by_block, n }) => `${n} ${by_block ? 'of blocks' : 'of keys'}`);

  const left = async () => (await db.sql`select count(*)::int as n from trial.pending`)[0]?.n;

  /** Calls with hardly any time until so many are moved; returns how many are. */
  async function some(least: number, size = 100): Promise<number> {
    let moved = 0;
    while (moved < least) {
      const [row] = await db.sql<{ answer: BatchResult }[]>`
        select public.migrate_batch(plan => ${PLAN}, max_ms => 1, batch_size => ${size}) as answer`;
      moved += row?.answer.migrated ?? 0;
    }
    return moved;
  }

  const sum = (answers: BatchResult[]) => answers.reduce((total, answer) => total + answer.migrated, 0);

  test('takes the rows as they lie on disk, each once, and a rollback gives them back', async () => {
    await items('uuid');
    const before = await contents(db.sql, ['public.items']);
    await some(1);
    expect(await lanes()).toEqual(['3 of blocks']);
    // However many they are: the first ones on disk, whatever their keys.
    expect(
      (await db.sql`select count(*)::int = max(place) as first from public.items where new is not null`)[0],
    ).toEqual({ first: true });
    await forward(db.sql, 500);
    expect(await left()).toBe(0);
    expect(
      (
        await db.sql`select count(*)::int as n, count(distinct entity)::int as entities from imago_undo.trial_public_items`
      )[0],
    ).toEqual({ n: 6000, entities: 6000 });
    await back(db.sql);
    expect(await lanes('rollback')).toEqual(['3 of blocks']);
    expect(await contents(db.sql, ['public.items'])).toEqual(before);
  });

  test('goes through each partition by itself', async () => {
    await items(
      'uuid',
      [0, 1]
        .map(
          (n) =>
            `create table public.part_${n} partition of public.items for values with (modulus 2, remainder ${n});`,
        )
        .join(''),
    );
    const before = await contents(db.sql, ['public.items']);
    await some(1);
    const walked = await db.sql`
      select distinct partition, by_block from imago.lane where pass = 'main' order by partition`;
    expect([...walked]).toEqual([
      { partition: 'public.part_0', by_block: true },
      { partition: 'public.part_1', by_block: true },
    ]);
    await forward(db.sql, 500);
    expect(await left()).toBe(0);
    await back(db.sql);
    expect(await contents(db.sql, ['public.items'])).toEqual(before);
  });

  test('is taken back through the journal as it lies, with several rows an owner and a lost call', async () => {
    await db.sql.unsafe(`
      create table public.owners (id uuid primary key, filler text default repeat('x', 100));
      insert into public.owners select md5(n::text)::uuid from generate_series(1, 2000) n;
      create table public.things (id integer primary key, owner uuid references public.owners, name text);
      create index on public.things (owner);
      insert into public.things select k * 2000 + n, md5(n::text)::uuid, 'thing ' || n from generate_series(0, 3) k, generate_series(1, 2000) n where (n + k) % 7 > 0;
      analyze;`);
    await createPlan(db.sql, {
      table: 'owners',
      key: 'id',
      keyType: 'uuid',
      pending: `exists (select from public.things t where t.owner = s.id and t.name like 'thing%')`,
      apply: `update public.things t set name = upper(t.name) where t.owner = any (keys) and t.name like 'thing%';`,
      writes: [{ relation: 'public.things', entity: 'owner', columns: ['name'] }],
    });
    const before = await contents(db.sql, ['public.things']);
    await forward(db.sql, 300);
    const owners = await db.sql`select count(distinct entity)::int as n from imago_undo.trial_public_things`;
    let returned = 0;
    while (returned < 500) {
      const [row] = await db.sql`
        select public.rollback_batch(plan => ${PLAN}, max_ms => 1) as answer`;
      returned += row?.answer.rolled_back;
    }
    expect(await lanes('rollback')).toEqual([expect.stringContaining('of blocks')]);
    await expect(
      db.sql.begin(async (tx) => {
        await tx`select public.rollback_batch(plan => ${PLAN}, max_ms => 1)`;
        throw new Error('lost');
      }),
    ).rejects.toThrow('lost');
    const answers = await rollbackAll(db.sql, { plan: PLAN });
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0 });
    expect(returned + answers.reduce((total, answer) => total + answer.rolled_back, 0)).toBe(owners[0]?.n);
    expect(await contents(db.sql, ['public.things'])).toEqual(before);
  });

  test('leaves an edited row as one conflict on the way back, and its neighbours go back', async () => {
    await items('uuid');
    await forward(db.sql, 500);
    await db.sql`update public.items set new = 'edited' where place in (5, 3000)`;
    const answers = await rollbackAll(db.sql, { plan: PLAN });
    expect(answers.at(-1)).toMatchObject({ status: 'done', conflicts: 2 });
    expect(answers.reduce((total, answer) => total + answer.rolled_back, 0)).toBe(5998);
    expect((await db.sql`select count(*)::int as n from public.items where new is not null`)[0]?.n).toBe(2);
  });

  test('misses none that the app moves, adds or deletes meanwhile', async () => {
    await items('uuid');
    const moved = await some(1000);
    // Far behind the cursor there is room now; new versions of rows that have yet to be moved go there.
    const gone = await db.sql`delete from public.items where place <= 500 returning new`;
    await db.sql`vacuum public.items`;
    await db.sql`update public.items set filler = repeat('y', 100) where place > 5500`;
    await db.sql`insert into public.items (id, place, old) select md5('late ' || n)::uuid, 0, 'late' from generate_series(1, 50) n`;
    const behind = await db.sql`
      select count(*)::int as n from public.items
      where new is null and ctid < (select min(cursor_key::tid) from imago.lane where pass = 'main' and cursor_key is not null)`;
    expect(behind[0]?.n).toBeGreaterThan(100);
    const answers = await migrateAll(db.sql, { plan: PLAN });
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(answers.reduce((total, answer) => total + answer.processed, 0)).toBe(sum(answers));
    expect(moved + sum(answers)).toBe(6050 - gone.filter((row) => row.new === null).length);
    expect(await left()).toBe(0);
  });

  test.each(['512', '0'])(
    'misses none when the table is rewritten half-way (proof_mb %s)',
    async (megabytes) => {
      await items('uuid');
      await db.sql`update imago.setting set value = ${megabytes} where name = 'proof_mb'`;
      const moved = await some(2000);
      // Every row lies elsewhere afterwards: in the order of the keys.
      await db.sql`cluster public.items using items_pkey`;
      const answers = await migrateAll(db.sql, { plan: PLAN });
      expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
      expect(moved + sum(answers)).toBe(6000);
      expect(await left()).toBe(0);
    },
  );

  test.each([
    ['', 2000],
    [', also where looking for it takes more than a call has', 1],
  ])('sets a bad row aside and moves its neighbours%s', async (_, ms) => {
    await items('uuid');
    await db.sql`update public.items set old = 'poison' where place in (1, 700, 701, 6000)`;
    const answers = await migrateAll(db.sql, { plan: PLAN, max_ms: ms });
    expect(answers.at(-1)).toMatchObject({ state: 'failed', failures_left: 4 });
    expect(sum(answers)).toBe(5996);
    expect(await left()).toBe(4);
    await db.sql`update public.items set old = 'fixed' where old = 'poison'`;
    await db.sql`select public.retry_failed_migrations(${PLAN})`;
    expect((await migrateAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await left()).toBe(0);
  });

  test('goes on where it was after a call that was lost', async () => {
    await items('uuid');
    let moved = await some(1000);
    const cursors = async () =>
      (await db.sql`select number, cursor_key from imago.lane where pass = 'main' order by number`).map(
        (lane) => ({
          ...lane,
        }),
      );
    const before = await cursors();
    await expect(
      db.sql.begin(async (tx) => {
        await tx`select public.migrate_batch(plan => ${PLAN}, max_ms => 1, batch_size => 300)`;
        throw new Error('lost');
      }),
    ).rejects.toThrow('lost');
    expect(await cursors()).toEqual(before);
    moved += sum(await migrateAll(db.sql, { plan: PLAN }));
    expect(moved).toBe(6000);
  });

  test('four callers at once move each row once', async () => {
    await items('uuid');
    const before = await some(1);
    const sessions = await Promise.all([1, 2, 3, 4].map(() => db.connect()));
    const answers = await Promise.all(
      sessions.map((sql) => migrateAll(sql, { plan: PLAN, batch_size: 100 })),
    );
    expect(before + sum(answers.flat())).toBe(6000);
    expect(await left()).toBe(0);
  });

  test.each([
    ['keys in the order of the disk', async () => await items('integer')],
    [
      'small tables',
      async () => {
        await items('uuid');
        await db.sql`update imago.setting set value = '50' where name = 'block_walk_percent'`;
      },
    ],
  ])('is not taken for %s', async (_, make) => {
    await make();
    await some(1);
    expect(await lanes()).toEqual([expect.stringContaining('of keys')]);
  });
});
