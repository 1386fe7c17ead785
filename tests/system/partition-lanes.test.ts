/** Partitioned sources are walked partition by partition, each with lanes of its own. */
import { beforeEach, describe, expect, test } from 'vitest';
import { value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { type BatchResult, migrateAll } from '../support/imago.ts';
import { back, contents, createPlan, PLAN } from '../support/plan.ts';

describe('lanes of a partitioned table', () => {
  let db: TestDatabase;

  beforeEach(async () => {
    db = await freshDatabase({ app: 'none' });
    // Two at the top, one of which is partitioned again, and one for what belongs nowhere else.
    await db.sql.unsafe(`
      create table public.items (region text, id integer, old text, new text, primary key (region, id)) partition by list (region);
      create table public.items_north partition of public.items for values in ('north') partition by hash (id);
      create table public."items North 0" partition of public.items_north for values with (modulus 2, remainder 0);
      create table public.items_north_1 partition of public.items_north for values with (modulus 2, remainder 1);
      create table public.items_south partition of public.items for values in ('south');
      create table public.items_rest partition of public.items default;
      create unique index on public.items_south (id);
      insert into public.items (region, id, old)
      select case when n <= 3000 then 'north' else 'south' end, n, 'value ' || n from generate_series(1, 6000) n;
      analyze public.items;`);
    await createPlan(db.sql, {
      table: 'items',
      key: '{region,id}',
      keyType: 'record',
      fields: { region: 'text', id: 'integer' },
      pending: 's.new is null',
      apply: `update public.items i set new = upper(i.old) from unnest(keys) k where i.region = k.region and i.id = k.id and i.new is null;`,
      writes: [{ relation: 'public.items', entity: '{region,id}', columns: ['new'] }],
    });
    return async () => await db.drop();
  });

  const lanes = async (direction = 'forward') =>
    [
      ...(await db.sql`
        select distinct coalesce(l.partition, 'whole') as name
        from imago.lane l join imago.run r on r.id = l.run
        where l.pass = 'main' and r.direction = ${direction} order by 1`),
    ].map(({ name }) => name);

  async function some(least: number): Promise<number> {
    let moved = 0;
    while (moved < least) {
      const [row] = await db.sql<{ answer: BatchResult }[]>`
        select public.migrate_batch(plan => ${PLAN}, max_ms => 1, batch_size => 100) as answer`;
      moved += row?.answer.migrated ?? 0;
    }
    return moved;
  }

  const sum = (answers: BatchResult[]) => answers.reduce((total, answer) => total + answer.migrated, 0);

  test('count each row once, and the partitions of partitions, too', async () => {
    const rows = async (name: string) =>
      await value<number>(db.sql, `select imago.estimated_rows($1)::int`, [name]);
    expect(await rows('public.items')).toBe(6000);
    expect(await rows('public.items_north')).toBe(3000);
    expect(await rows('public.items_south')).toBe(3000);
    const bytes = async () => await value<number>(db.sql, "select imago.relation_bytes('public.items')::int");
    const before = await bytes();
    // While somebody alters a partition, what was analyzed last counts.
    await db.sql.begin(async (tx) => {
      await tx`lock table public.items_south in access exclusive mode`;
      expect(await bytes()).toBe(before);
    });
  });

  test('move each row once, by four callers, and all of them go back', async () => {
    const before = await contents(db.sql, ['public.items']);
    const first = await some(1);
    expect(await lanes()).toEqual([
      'public."items North 0"',
      'public.items_north_1',
      'public.items_rest',
      'public.items_south',
    ]);
    const sessions = [1, 2, 3, 4].map(() => db.connect());
    const answers = await Promise.all(
      sessions.map((sql) => migrateAll(sql, { plan: PLAN, batch_size: 100 })),
    );
    expect(first + sum(answers.flat())).toBe(6000);
    expect((await db.sql`select count(*)::int as n from public.items where new is null`)[0]?.n).toBe(0);
    await back(db.sql);
    expect(await lanes('rollback')).toEqual(['whole']);
    expect(await contents(db.sql, ['public.items'])).toEqual(before);
  });

  test('misses none where rows change their partition, and partitions come, go and are renamed', async () => {
    await some(200);
    await db.sql.unsafe(`
      update public.items set region = 'elsewhere' where region = 'south' and id > 5900;
      alter table public.items detach partition public.items_south;
      alter table public.items_north_1 rename to "items North 1";
      create table public.items_east partition of public.items for values in ('east');
      insert into public.items (region, id, old) select 'east', n, 'late' from generate_series(1, 50) n;`);
    expect((await migrateAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
    const [left] =
      await db.sql`select count(*) filter (where new is null)::int as pending, count(*)::int as rows from public.items`;
    expect(left).toEqual({ pending: 0, rows: 3000 + 100 + 50 });
  });

  test('are those of the whole table where a partition is not to be read by itself', async () => {
    const may = () => db.sql`select imago.may_walk_partitions('public.items') as may`;
    expect(await may()).toEqual([{ may: true }]);
    await db
      .connect({ role: 'supabase_admin' })
      .unsafe(
        'alter table public.items_rest owner to supabase_auth_admin; revoke all on public.items_rest from postgres',
      );
    expect(await may()).toEqual([{ may: false }]);
  });
});
