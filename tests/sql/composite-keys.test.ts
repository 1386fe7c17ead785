import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, forward, PLAN } from '../support/plan.ts';
import { expectNoTraces } from '../support/state.ts';
import { failedSyncs } from '../support/sync.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Texts that a record, an array, a log or JSON could take apart at the wrong place. */
const hostile = [
  '',
  ' ',
  ',',
  '(',
  ')',
  '"',
  "'",
  '\\',
  '{}',
  'null',
  'a,b',
  '("a,b")',
  'Ä é 𝄞',
  '%s $1',
  'x'.repeat(300),
];

const TABLES = ['public.shops', 'public.sales', 'public.signs'];

/** Shops by country and code; the plan gives each a label, a sign of its own, and its sales the label. */
async function shops(rows: number): Promise<Sql> {
  const db = await freshDatabase({});
  databases.push(db);
  const { sql } = db;
  await sql.unsafe(`
    create table public.shops (country text, code text, name text, label text, primary key (country, code));
    create table public.sales (
      id integer primary key, country text not null, code text not null, label text,
      foreign key (country, code) references public.shops on update cascade on delete cascade);
    create index on public.sales (country, code);
    create table public.signs (
      country text, code text, label text, primary key (country, code),
      foreign key (country, code) references public.shops on update cascade on delete cascade)`);
  await sql`
    insert into public.shops select c, d, 'shop' from unnest(${hostile}::text[]) c, unnest(${hostile}::text[]) d
    order by 1, 2 limit ${rows}`;
  await sql`insert into public.sales select row_number() over (), country, code from public.shops, generate_series(1, 2)`;
  await createPlan(sql, {
    table: 'shops',
    key: '{country,code}',
    keyType: 'record',
    fields: { country: 'text', code: 'text' },
    pending:
      's.label is null or exists (select from public.sales l where l.country = s.country and l.code = s.code and l.label is null)',
    apply: `
      insert into public.signs (country, code, label) select k.country, k.code, 'sign' from unnest(keys) k on conflict do nothing;
      update public.shops s set label = s.country || s.code where (s.country, s.code) in (select k.country, k.code from unnest(keys) k) and s.label is null;
      update public.sales l set label = l.country || l.code where (l.country, l.code) in (select k.country, k.code from unnest(keys) k) and l.label is null;`,
    writes: [
      { relation: 'public.signs', entity: '{country,code}', inserts: true },
      { relation: 'public.shops', entity: '{country,code}', columns: ['label'] },
      { relation: 'public.sales', entity: '{country,code}', columns: ['label'] },
    ],
    syncs: [
      {
        name: 'new shops',
        relation: 'public.shops',
        entity: '{country,code}',
        events: ['insert'],
        creates: true,
        statement: `select ${PLAN}.apply(array(select row(n.country, n.code)::${PLAN}.key from new_rows n))`,
      },
      {
        name: 'new sales',
        relation: 'public.sales',
        entity: '{country,code}',
        events: ['insert'],
        statement: `update public.sales l set label = l.country || l.code from new_rows n where l.id = n.id`,
      },
    ],
  });
  return sql;
}

const faults = (sql: Sql) =>
  value<number>(
    sql,
    `select (select count(*)::int from public.shops where label is distinct from country || code)
      + (select count(*)::int from public.sales where label is distinct from country || code)
      + (select count(*)::int from public.shops s full join public.signs g using (country, code) where s.name is null or g.label is null)`,
  );

describe('a key of several columns', () => {
  test('goes forward and back, whatever its texts hold', async () => {
    const sql = await shops(hostile.length ** 2);
    const before = await contents(sql, TABLES);
    for (let round = 0; round < 2; round++) {
      await forward(sql, 40);
      expect(await faults(sql)).toBe(0);
      // What the app writes is moved in the same transaction.
      await sql`insert into public.shops values ('late', 'a "late", (one)', 'shop')`;
      await sql`insert into public.sales values (1000, 'late', 'a "late", (one)')`;
      expect(await failedSyncs(sql)).toEqual([]);
      expect(await faults(sql)).toBe(0);
      await sql`delete from public.shops where country = 'late'`;
      await back(sql);
      expect(await contents(sql, TABLES)).toEqual(before);
    }
    await expectNoTraces(sql, PLAN);
  });
});
