import { afterEach, describe, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, type PlanParts } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const ROWS = 60;

/** A plan that fills one column of public.items, and follows what the app inserts. */
function filling(name: string, column: string, value: string): PlanParts {
  return {
    name,
    table: 'items',
    key: 'id',
    keyType: 'integer',
    pending: `s.${column} is null`,
    apply: `update public.items set ${column} = ${value} where id = any (keys) and ${column} is null;`,
    writes: [{ relation: 'public.items', entity: 'id', columns: [column] }],
    syncs: [
      {
        name: `new rows of ${name}`,
        relation: 'public.items',
        entity: 'id',
        events: ['insert'],
        creates: true,
        statement: `update public.items i set ${column} = ${value} from new_rows n where i.id = n.id and i.${column} is null`,
      },
    ],
  };
}

async function items(...plans: PlanParts[]): Promise<TestDatabase> {
  const db = await freshDatabase({});
  databases.push(db);
  await db.sql.unsafe(`
    create table public.items (id int primary key, a text, b text, shared text, updated_at timestamptz not null default '2020-01-01');
    create function public.touch() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
    create trigger touch before update on public.items for each row execute function public.touch();
    insert into public.items (id) select i from generate_series(1, ${ROWS}) i;`);
  for (const plan of plans) await createPlan(db.sql, plan);
  return db;
}

const a = filling('pa', 'a', `'A'`);
const b = filling('pb', 'b', `'B'`);

/** Prepares a plan and moves about half of its rows. */
async function halfWay({ sql }: TestDatabase, plan: string, column: string): Promise<void> {
  while ((await value<number>(sql, `select count(${column})::int from public.items`)) < ROWS / 3) {
    await call(sql, 'migrate_batch', { plan, max_ms: 1, batch_size: 7 });
  }
}

async function prepare({ sql }: TestDatabase, plan: string): Promise<void> {
  while ((await call(sql, 'prepare_migration', { plan })).has_more);
}

const filled = ({ sql }: TestDatabase) =>
  value(sql, 'select array[count(a), count(b)]::int[] from public.items');

describe('two plans on one table', () => {
  test('one prepared while the other is half-way: each goes forward and back whole, and updated_at stays', async () => {
    const db = await items(a, b);
    const original = await contents(db.sql, ['public.items']);
    await halfWay(db, 'pa', 'a');
    await prepare(db, 'pb');
    expect((await migrateAll(db.sql, { plan: 'pa' })).at(-1)).toMatchObject({ state: 'succeeded' });
    expect((await call(db.sql, 'validate_migration', { plan: 'pa' })).healthy).toBe(true);
    await migrateAll(db.sql, { plan: 'pb' });
    expect(await filled(db)).toEqual([ROWS, ROWS]);
    expect((await rollbackAll(db.sql, { plan: 'pa' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await filled(db)).toEqual([0, ROWS]);
    expect((await call(db.sql, 'validate_migration', { plan: 'pb' })).healthy).toBe(true);
    expect((await rollbackAll(db.sql, { plan: 'pb' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await contents(db.sql, ['public.items'])).toEqual(original);
  });

  test('both half-way at the same time, taken back in the opposite order: nothing is left', async () => {
    const db = await items(a, b);
    const original = await contents(db.sql, ['public.items']);
    await halfWay(db, 'pa', 'a');
    await halfWay(db, 'pb', 'b');
    await Promise.all([rollbackAll(db.sql, { plan: 'pb' }), migrateAll(db.sql, { plan: 'pa' })]);
    expect(await filled(db)).toEqual([ROWS, 0]);
    await rollbackAll(db.sql, { plan: 'pa' });
    expect(await contents(db.sql, ['public.items'])).toEqual(original);
  });

  test('whose names differ where one has an underscore: each goes back by itself', async () => {
    const db = await items(filling('p_1', 'a', `'A'`), filling('px1', 'b', `'B'`));
    await migrateAll(db.sql, { plan: 'p_1' });
    await migrateAll(db.sql, { plan: 'px1' });
    expect((await rollbackAll(db.sql, { plan: 'px1' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await filled(db)).toEqual([ROWS, 0]);
  });

  test('one finalized: the other has its triggers, is journaled and goes back', async () => {
    const db = await items(a, b);
    await migrateAll(db.sql, { plan: 'pa' });
    await halfWay(db, 'pb', 'b');
    while ((await call(db.sql, 'finalize_migration', { plan: 'pa' })).has_more);
    await migrateAll(db.sql, { plan: 'pb' });
    await rollbackAll(db.sql, { plan: 'pb' });
    expect(await filled(db)).toEqual([ROWS, 0]);
    expect(
      (await call(db.sql, 'inspect_installation')).triggers.filter(
        ({ state }: { state: string }) => state !== 'sound',
      ),
    ).toEqual([]);
  });

  test('a row of the app is brought along by the syncs of both, and goes back with each', async () => {
    const db = await items(a, b);
    await halfWay(db, 'pa', 'a');
    await halfWay(db, 'pb', 'b');
    await db.sql`insert into public.items (id) values (1000)`;
    expect([...(await db.sql`select a, b from public.items where id = 1000`)]).toEqual([{ a: 'A', b: 'B' }]);
    await migrateAll(db.sql, { plan: 'pa' });
    await migrateAll(db.sql, { plan: 'pb' });
    for (const plan of ['pa', 'pb']) {
      expect((await rollbackAll(db.sql, { plan })).at(-1)).toMatchObject({
        state: 'succeeded',
        conflicts: 0,
      });
    }
    expect(await filled(db)).toEqual([0, 0]);
  });

  test('a sync of one follows what the other writes, within its batch, and each journals its own', async () => {
    const derived: PlanParts = {
      ...filling('pb', 'b', `'B'`),
      pending: 's.a is not null and s.b is distinct from lower(s.a)',
      apply: 'update public.items set b = lower(a) where id = any (keys);',
      syncs: [
        {
          name: 'b follows a',
          relation: 'public.items',
          entity: 'id',
          events: ['update'],
          columns: ['a'],
          statement: 'update public.items i set b = lower(n.a) from new_rows n where i.id = n.id',
        },
      ],
    };
    const db = await items(a, derived);
    await migrateAll(db.sql, { plan: 'pb' });
    await migrateAll(db.sql, { plan: 'pa' });
    expect(await value(db.sql, `select count(*)::int from public.items where a = 'A' and b = 'a'`)).toBe(
      ROWS,
    );
    expect(await value(db.sql, 'select count(*)::int from imago_undo.pa_public_items')).toBe(ROWS);
    expect(await value(db.sql, 'select count(*)::int from imago_undo.pb_public_items')).toBe(ROWS);
    await rollbackAll(db.sql, { plan: 'pb' });
    expect(await filled(db)).toEqual([ROWS, 0]);
    await rollbackAll(db.sql, { plan: 'pa' });
    expect(await filled(db)).toEqual([0, 0]);
  });

  test('a column that both write: whichever goes back first sees the value of the other as a later change', async () => {
    const first = filling('pa', 'shared', `'first'`);
    const second: PlanParts = {
      ...filling('pb', 'shared', `'second'`),
      pending: `s.shared = 'first'`,
      apply: `update public.items set shared = 'second' where id = any (keys);`,
      syncs: [],
    };
    const db = await items(first, second);
    await migrateAll(db.sql, { plan: 'pa' });
    await migrateAll(db.sql, { plan: 'pb' });
    expect((await rollbackAll(db.sql, { plan: 'pa' })).at(-1)).toMatchObject({ conflicts: ROWS });
    await rollbackAll(db.sql, { plan: 'pb' });
    expect((await rollbackAll(db.sql, { plan: 'pa' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await value(db.sql, 'select count(shared)::int from public.items')).toBe(0);
  });

  test('the preflight tells of rows that both insert, and of what one walks and the other drops', async () => {
    const db = await items(a, b);
    await db.sql.unsafe(`
      create table public.copies (id int primary key, item int, origin text);
      update imago.plan_write set relation = 'public.copies', entity_column = 'item', inserts = true, columns = '{}' where plan in ('pa', 'pb');
      delete from imago.plan_sync where plan in ('pa', 'pb');
      create function pb.shrink() returns void language sql set search_path = '' as 'alter table public.items drop column b';
      insert into imago.plan_step (plan, position, name, phase, routine) values ('pb', 1, 'b dropped', 'finalize', 'shrink');`);
    const told = async (plan: string) =>
      (await call(db.sql, 'dry_run_migration', { plan, mode: 'preflight' })).problems
        .filter(({ kind }: { kind: string }) => kind === 'overlap')
        .map(
          ({ object, message }: { object: string; message: string }) => `${object}: ${message.split(':')[0]}`,
        );
    expect(await told('pa')).toEqual([]);
    await prepare(db, 'pb');
    expect(await told('pa')).toEqual([
      'public.copies: gets rows from plan pb, too',
      'public.items: is walked by plan pa, and plan pb drops something there when it is finalized (step "b dropped")',
    ]);
    await prepare(db, 'pa');
    expect(await told('pb')).toContain(
      'public.items: is walked by plan pa, and plan pb drops something there when it is finalized (step "b dropped")',
    );
  });
});

describe('a column that neither declares, and a trigger of the app that moves it', () => {
  const counting = (body: string, when: string) => `
    alter table public.items add version int not null default 1;
    create function public.count_up() returns trigger language plpgsql as $$ begin ${body} end $$;
    create trigger count_up ${when} on public.items for each row execute function public.count_up();
    create function public.small() returns trigger language plpgsql as 'begin new.batch_size := 7; return new; end';
    create trigger small before insert or update on imago.lane for each row execute function public.small()`;
  const triggers: [what: string, sql: string][] = [
    ['before the row is written', counting('new.version := old.version + 1; return new;', 'before update')],
    [
      'afterwards',
      counting(
        'update public.items set version = version + 1 where id = new.id; return null;',
        'after update of a, b',
      ),
    ],
    [
      'in another row',
      counting(
        'update public.items set version = version + 1 where id = new.id % 7 + 1; return null;',
        'after update of a, b',
      ),
    ],
  ];
  const orders = [
    ['pa', 'pb'],
    ['pb', 'pa'],
  ];
  const cases = triggers.flatMap(([what, sql]) =>
    orders.map((order) => [what, order.join(', then '), order, sql] as const),
  );
  test.each(cases)('%s; %s goes back: every column of every row is as it was', async (_, __, order, sql) => {
    const db = await items(a, b);
    await db.sql.unsafe(sql);
    const original = await contents(db.sql, ['public.items']);
    // Each has moved some before the other, and the other some before it.
    await prepare(db, 'pa');
    await prepare(db, 'pb');
    await call(db.sql, 'migrate_batch', { plan: 'pa', max_ms: 1, batch_size: 7 });
    await call(db.sql, 'migrate_batch', { plan: 'pb', max_ms: 1, batch_size: 7 });
    for (const plan of ['pb', 'pa'])
      expect((await migrateAll(db.sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded' });
    for (const plan of order)
      expect((await rollbackAll(db.sql, { plan })).at(-1)).toMatchObject({
        state: 'succeeded',
        conflicts: 0,
      });
    expect(await contents(db.sql, ['public.items'])).toEqual(original);
  });
});
