/** Shops by country and code, and a plan that walks them by both. */
import type { Sql } from 'postgres';
import { createPlan, PLAN } from './plan.ts';

/** Texts that a record, an array, a log or JSON could take apart at the wrong place. */
export const hostile = [
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

export const TABLES = ['public.shops', 'public.sales', 'public.signs'];

/** Shops by country and code; the plan gives each a label, a sign of its own, and its sales the label. */
export async function createShops(sql: Sql, rows: number): Promise<void> {
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
}
