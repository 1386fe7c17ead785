/** Keys that everything stands on that can stand on a key, and the ready-made plan `int-to-bigint` for them. */
import type { Sql } from 'postgres';
import { onTestFinished } from 'vitest';
import { createPlan } from '../../scripts/plan/create.ts';
import { type Project, readPlan, readProject, wholeText } from '../../scripts/plan/project.ts';
import { call, value } from './call.ts';
import { freshDatabase, madeOnce, type TestDatabase } from './database.ts';
import { projectFolder } from './project.ts';

export const plan = 'wide';
export const orders = 'shop."Orders"';

/** A database with these tables, for as long as the test takes. */
export async function app(tables: string): Promise<TestDatabase> {
  const isShop = tables === shop;
  const db = await freshDatabase(isShop ? { template: await shopMade() } : {});
  onTestFinished(db.drop);
  if (!isShop) await db.sql.unsafe(tables);
  return db;
}

const shopMade = madeOnce((sql) => sql.unsafe(shop));

/** Writes the plan into a project, and runs its migration. */
export async function make(sql: Sql, source = 'shop.Orders', column = 'Id'): Promise<Project> {
  const project = readProject(await projectFolder());
  const kind = { name: 'int-to-bigint', options: { column } };
  await createPlan(sql, project, { plan, source, key: column, column, kind });
  await push(sql, project);
  return project;
}

export async function push(sql: Sql, project: Project): Promise<void> {
  await sql.begin((tx) => tx.unsafe(migrationOf(project)));
}

export const migrationOf = (project: Project) =>
  `set local check_function_bodies = off;\n${wholeText(readPlan(project, plan).sources)}`;

/** Everything that can stand on a key, in two schemas. */
export const shop = `
  create schema shop;
  create table shop."Orders" (
    "Id" serial primary key check ("Id" > 0),
    parent integer references shop."Orders" on delete set null,
    owner text not null default 'anna',
    total numeric not null default 0
  );
  comment on column shop."Orders"."Id" is 'The number on the bill.';
  comment on constraint "Orders_pkey" on shop."Orders" is 'By number.';
  create index orders_even on shop."Orders" (("Id" % 10), owner desc) where "Id" > 2 and parent is null;
  create index on shop."Orders" (parent);
  create table public.items (
    id integer generated always as identity (sequence name public.item_numbers start 1000 increment 5) primary key,
    order_id integer not null references shop."Orders" on update cascade on delete cascade deferrable initially deferred,
    moved_to integer references shop."Orders" on update cascade on delete set null,
    unique (order_id, id)
  );
  create table public.tags (
    order_id integer references shop."Orders" on update cascade on delete cascade,
    tag text,
    primary key (order_id, tag)
  );
  create table public.bills (order_id integer primary key references shop."Orders" on update cascade, no text);
  create table public.letters (id uuid primary key default gen_random_uuid(), bill integer references public.bills on update cascade);
  create table public.audit (id bigint primary key, order_id bigint references shop."Orders" on update cascade on delete cascade);
  create statistics shop.bound (dependencies) on "Id", parent from shop."Orders";
  create view shop.open_orders with (security_invoker = true) as select * from shop."Orders" where total = 0;
  create view shop.open_items as select o."Id", i.id as item from shop.open_orders o join public.items i on i.order_id = o."Id";
  comment on view shop.open_items is 'What is still to be paid.';
  grant select on shop.open_items to authenticated;
  grant select ("Id", owner) on shop."Orders" to anon;
  grant usage on sequence public.item_numbers to authenticated;
  alter table public.items enable row level security;
  create policy own_items on public.items for select to authenticated
    using (exists (select from shop."Orders" o where o."Id" = items.order_id and o.owner = current_user));
  create function public.noted() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger noted after update of order_id on public.items for each row when (old.order_id <> new.order_id) execute function public.noted();
  alter table public.items disable trigger noted;
  create publication everything for table shop."Orders", public.items;
  insert into shop."Orders" (owner) select 'o' || i from generate_series(1, 12) i;
  alter sequence shop."Orders_Id_seq" restart with 20;
  update shop."Orders" set parent = 1 where "Id" in (5, 6);
  insert into public.items (order_id, moved_to) select 1 + i % 12, case when i % 4 = 0 then 1 + i % 7 end from generate_series(0, 39) i;
  insert into public.tags select o."Id", t from shop."Orders" o, unnest(array['a', 'b']) t where o."Id" % 2 = 0;
  insert into public.bills select "Id", 'no' || "Id" from shop."Orders" where "Id" % 3 = 0;
  insert into public.letters select md5(i::text)::uuid, case when i % 2 = 0 then 3 end from generate_series(1, 6) i;
  insert into public.audit select "Id", "Id" from shop."Orders";`;

const tables = [orders, 'public.items', 'public.tags', 'public.bills', 'public.letters', 'public.audit'];

/** All rows, without what the plan has added. */
export async function contents(sql: Sql): Promise<string[]> {
  const rows: string[] = [];
  for (const table of tables) {
    rows.push(
      await value<string>(
        sql,
        `select string_agg(line, ' ' order by line) from (
           select (to_jsonb(t) - array(select k from jsonb_object_keys(to_jsonb(t)) k where k ~ '_(new|before)$'))::text as line from ${table} t) l`,
      ),
    );
  }
  return rows;
}

/** Everything that the app has made around its tables, as PostgreSQL describes it, in no order of columns. */
export const shape = async (sql: Sql) =>
  await value<string>(
    sql,
    `select string_agg(line, E'\\n' order by line) from (
       select pg_get_indexdef(i.indexrelid) || coalesce(' is ' || obj_description(i.indexrelid, 'pg_class'), '') as line from pg_index i where i.indrelid = any ($1::regclass[])
       union all
       select format('%s %s %s %s %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid), c.convalidated, obj_description(c.oid, 'pg_constraint'))
       from pg_constraint c where c.conrelid = any ($1::regclass[]) and c.contype <> 'n'
       union all
       select format('%s.%s %s %s %s %s %s', a.attrelid::regclass, a.attname, a.attnotnull, a.attidentity, a.attacl, pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
       from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid = any ($1::regclass[]) and a.attnum > 0 and not a.attisdropped and a.attname !~ '_before$'
       union all
       select format('%s %s %s %s %s %s', c.oid::regclass, c.relacl, c.reloptions, c.relowner::regrole, pg_get_viewdef(c.oid), obj_description(c.oid, 'pg_class'))
       from pg_class c where c.relkind = 'v' and c.relnamespace = 'shop'::regnamespace
       union all
       select to_jsonb(p)::text from pg_policies p where p.schemaname = 'public' and p.tablename = 'items'
       union all
       select format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled) from pg_trigger t where t.tgrelid = any ($1::regclass[]) and not t.tgisinternal and t.tgname !~ 'imago_'
       union all
       select pg_get_statisticsobjdef(s.oid) from pg_statistic_ext s where s.stxnamespace = 'shop'::regnamespace
       union all
       select to_jsonb(p)::text from (select pubname, schemaname, tablename, rowfilter from pg_publication_tables) p
       union all
       select format('%s %s %s %s %s', s.seqrelid::regclass, s.seqstart, s.seqincrement, c.relacl, d.deptype)
       from pg_sequence s join pg_class c on c.oid = s.seqrelid left join pg_depend d on d.objid = s.seqrelid and d.deptype in ('a', 'i')
       where c.oid in ('shop."Orders_Id_seq"'::regclass, 'public.item_numbers'::regclass)
     ) l`,
    [tables],
  );

export const types = async (sql: Sql) =>
  await value<string>(
    sql,
    `select string_agg(distinct a.attrelid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, null), ', ')
     from pg_attribute a where a.attrelid = any ($1::regclass[]) and a.attname ~ '^(Id|parent|order_id|moved_to|bill)' and not a.attisdropped`,
    [tables],
  );

/** Finalizes up to the step that closes the way back. */
export async function beforeSwap(sql: Sql): Promise<void> {
  const next = `select name from imago.plan_step where plan = '${plan}' and phase = 'finalize' and done_at is null order by position limit 1`;
  while ((await value(sql, next)) !== 'twins take the old names')
    await call(sql, 'finalize_migration', { plan });
}
