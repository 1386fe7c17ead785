/** Imago as a role that row level security may hide rows from, which is not so on Supabase: what is not seen counts as nothing done. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, PLAN } from '../support/plan.ts';

let server: TestCluster;
const databases: TestDatabase[] = [];

beforeAll(async () => {
  server = await testCluster();
  const db = await freshDatabase({ on: server });
  await db.connect({ role: 'supabase_admin' })`alter role postgres nobypassrls`;
  await db.drop();
});

afterAll(() => server?.remove());

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function items(): Promise<TestDatabase> {
  const db = await freshDatabase({ on: server });
  databases.push(db);
  await db.sql.unsafe(`
    create table public.items (id int primary key, label text);
    create table public.copies (item int primary key, label text);
    insert into public.items select i from generate_series(1, 20) i`);
  await createPlan(db.sql, {
    table: 'items',
    key: 'id',
    keyType: 'integer',
    pending: 's.label is null',
    apply: `
      update public.items set label = 'item ' || id where id = any (keys) and label is null;
      insert into public.copies select id, label from public.items where id = any (keys) on conflict do nothing;`,
    writes: [
      { relation: 'public.items', entity: 'id', columns: ['label'] },
      { relation: 'public.copies', entity: 'item', inserts: true },
    ],
  });
  return db;
}

const hide = (table: string) =>
  `alter table ${table} enable row level security; alter table ${table} force row level security`;
const show = (table: string) => `alter table ${table} no force row level security`;
const TABLES = ['public.items', 'public.copies'];

test('before the first step: preflight refuses, with the statement that fixes it', async () => {
  const db = await items();
  // The owner sees all, unless it is forced.
  await db.sql`alter table public.copies enable row level security`;
  await db.sql.unsafe(hide('public.items'));
  const { problems } = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
  expect(problems).toMatchObject([{ severity: 'error', kind: 'hidden_rows', object: 'public.items' }]);
  await db.sql.unsafe(/alter table .*;/.exec(problems[0].hint)?.[0] ?? '');
  expect((await migrateAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
});

describe.each(['public.items', 'public.copies', `imago_undo.${PLAN}_public_items`])(
  'in the middle, on %s',
  (table) => {
    test('every call that moves or decides is refused (IM078), and goes on once it is seen again', async () => {
      const db = await items();
      const original = await contents(db.sql, TABLES);
      while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
      await call(db.sql, 'migrate_batch', { plan: PLAN, batch_size: 5, max_ms: 1 });
      for (const move of [migrateAll, rollbackAll]) {
        await db.sql.unsafe(hide(table));
        for (const [name, args] of [
          ['migrate_batch'],
          ['rollback_batch'],
          ['migrate_entity', { entity: '20' }],
          ['rollback_entity', { entity: '1' }],
          ['finalize_migration'],
          ['expect_done'],
          ['cleanup_migration', { older_than: '0' }],
        ] as [string, object?][]) {
          const { code, message } = await refusal(call(db.sql, name, { plan: PLAN, ...args }));
          expect({ name, code, message }).toEqual({
            name,
            code: 'IM078',
            message: `row level security hides rows of ${table.replace('public.', '')} from postgres`.replace(
              /of (items|copies)/,
              'of public.$1',
            ),
          });
        }
        const { healthy, checks } = await call(db.sql, 'validate_migration', { plan: PLAN });
        expect(healthy).toBe(false);
        expect(checks.find(({ name }: Answer) => name === 'hidden_rows').found).toBe(1);
        await db.sql.unsafe(show(table));
        expect((await move(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
      }
      expect(await contents(db.sql, TABLES)).toEqual(original);
    });
  },
);

test('that comes while a call is at work takes the call back', async () => {
  const db = await items();
  // As if somebody did it between the beginning of the call and its first look at the table.
  await db.sql.unsafe(`
    create policy anybody on public.copies using (true);
    create function public.hides() returns trigger language plpgsql security definer as $$
    begin
      if current_setting('test.hide', true) = 'on' then
        ${hide('public.copies')};
      end if;
      return null;
    end $$`);
  while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
  await db.sql`create trigger hides after insert on imago.batch for each statement execute function public.hides()`;
  const caller = db.connect({ max: 1 });
  await caller`set test.hide = 'on'`;
  expect(await refusal(call(caller, 'migrate_batch', { plan: PLAN }))).toMatchObject({ code: 'IM078' });
  expect(await value(db.sql, 'select count(label)::int from public.items')).toBe(0);
  await caller`set test.hide = 'off'`;
  expect((await migrateAll(caller, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
});
