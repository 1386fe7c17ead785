import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { readBehaviour } from '../../scripts/plan/behaviour.ts';
import { checkPlan } from '../../scripts/plan/check.ts';
import { checksOf } from '../../scripts/plan/conformance/suite.ts';
import { createPlan } from '../../scripts/plan/create.ts';
import { type Project, readPlan, readProject, wholeText } from '../../scripts/plan/project.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { cleanUpAll, finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { projectFolder } from '../support/project.ts';
import { until } from '../support/until.ts';

/** The ready-made plan `int-to-bigint`, on keys that everything stands on that can stand on a key. */

const plan = 'wide';
const orders = 'shop."Orders"';

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function app(tables: string): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(tables);
  return db;
}

/** Writes the plan into a project, and runs its migration. */
async function make(sql: Sql, source = 'shop.Orders', column = 'Id'): Promise<Project> {
  const project = readProject(await projectFolder());
  const kind = { name: 'int-to-bigint', options: { column } };
  await createPlan(sql, project, { plan, source, key: column, column, kind });
  await push(sql, project);
  return project;
}

async function push(sql: Sql, project: Project): Promise<void> {
  await sql.begin((tx) => tx.unsafe(migrationOf(project)));
}

const migrationOf = (project: Project) =>
  `set local check_function_bodies = off;\n${wholeText(readPlan(project, plan).sources)}`;

/** Everything that can stand on a key, in two schemas. */
const shop = `
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
async function contents(sql: Sql): Promise<string[]> {
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
const shape = async (sql: Sql) =>
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

const types = async (sql: Sql) =>
  await value<string>(
    sql,
    `select string_agg(distinct a.attrelid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, null), ', ')
     from pg_attribute a where a.attrelid = any ($1::regclass[]) and a.attname ~ '^(Id|parent|order_id|moved_to|bill)' and not a.attisdropped`,
    [tables],
  );

/** Finalizes up to the step that closes the way back. */
async function beforeSwap(sql: Sql): Promise<void> {
  const next = `select name from imago.plan_step where plan = '${plan}' and phase = 'finalize' and done_at is null order by position limit 1`;
  while ((await value(sql, next)) !== 'twins take the old names')
    await call(sql, 'finalize_migration', { plan });
}

describe('int-to-bigint', () => {
  test('there and back, and to its end, with all that stands on the key', async () => {
    const { sql } = await app(shop);
    await make(sql);
    const [rows, before] = [await contents(sql), await shape(sql)];
    expect((await call(sql, 'dry_run_migration', { plan, mode: 'preflight' })).problems).toEqual([]);
    expect((await migrateAll(sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await contents(sql)).toEqual(rows);
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
    expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await contents(sql)).toEqual(rows);
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect(await shape(sql)).toBe(before);
    expect(await types(sql)).not.toContain('_new');

    await migrateAll(sql, { plan });
    const steps = await finalizeAll(sql, { plan });
    expect(steps.at(-1)).toMatchObject({ state: 'finalized' });
    expect(await contents(sql)).toEqual(rows);
    // The same by another type of number.
    expect((await shape(sql)).replaceAll('(10)::bigint', '10')).toBe(before);
    await sql.unsafe(`alter sequence ${`shop."Orders_Id_seq"`} restart with 3000000000`);
    await sql.unsafe(`insert into ${orders} (parent) values (7)`);
    await sql.unsafe(`insert into public.items (order_id) values (3000000000)`);
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect(await types(sql)).not.toMatch(/integer|_before|_new/);
  });

  /** What the app does with keys: it changes some, takes references away, and makes rows by one statement. */
  const doings = (n: number) => `
    update ${orders} set "Id" = ${400 + n} where "Id" = ${n + 3};
    update public.items set order_id = 2, moved_to = null where id = ${1000 + 5 * n};
    update public.tags set order_id = 2, tag = 'moved ${n}' where tag = 'b' and order_id = ${6 + 2 * n};
    with made as (insert into ${orders} (owner) values ('new ${n}') returning "Id")
    insert into public.items (order_id) select "Id" from made;
    insert into public.tags (order_id, tag) values (${400 + n}, 'c');
    insert into public.bills (order_id, no) values (${[2, 8, 10, 1][n]}, 'b${n}');
    delete from ${orders} where "Id" = ${[11, 12, 7, 21][n]} and not exists (select from public.bills b where b.order_id = "Id");`;

  const sidesDiffer = (sql: Sql) =>
    value<number>(
      sql,
      `select (select count(*) from ${orders} where "Id_new" is distinct from "Id" or parent_new is distinct from parent)::int
         + (select count(*) from public.items where order_id_new is distinct from order_id or moved_to_new is distinct from moved_to)::int
         + (select count(*) from public.tags where order_id_new is distinct from order_id)::int
         + (select count(*) from public.bills where order_id_new is distinct from order_id)::int
         + (select count(*) from public.letters where bill_new is distinct from bill)::int`,
    );

  test('keys that the app changes are changed on both sides, whenever it does, and go back', async () => {
    const [{ sql }, { sql: untouched }] = [await app(shop), await app(shop)];
    await make(sql);
    await call(sql, 'migrate_batch', { plan, batch_size: 2, max_ms: 1 });
    for (const db of [sql, untouched]) await db.unsafe(doings(0));
    await migrateAll(sql, { plan });
    expect(await sidesDiffer(sql)).toBe(0);
    for (const db of [sql, untouched]) await db.unsafe(doings(1));
    expect(await sidesDiffer(sql)).toBe(0);
    expect(await contents(sql)).toEqual(await contents(untouched));
    expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await contents(sql)).toEqual(await contents(untouched));

    // Once finalize has begun, up to the step that closes the way back.
    await migrateAll(sql, { plan });
    await beforeSwap(sql);
    for (const db of [sql, untouched]) await db.unsafe(doings(2));
    expect(await sidesDiffer(sql)).toBe(0);
    // One row alone has no way back from here: the table holds both sides equal.
    expect((await refusal(call(sql, 'rollback_entity', { plan, entity: '10', stage: 1 }))).message).toContain(
      '23514',
    );
    expect(await contents(sql)).toEqual(await contents(untouched));
    // Rows whose own key was changed, which the journal cannot tell from an edit.
    expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ state: 'failed', conflicts: 2 });
    expect((await rollbackAll(sql, { plan, force: true })).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await contents(sql)).toEqual(await contents(untouched));
    await migrateAll(sql, { plan });
    await finalizeAll(sql, { plan });
    for (const db of [sql, untouched]) await db.unsafe(doings(3));
    expect(await contents(sql)).toEqual(await contents(untouched));
  });

  test('what the app writes to the twins is on the old side, or fails', async () => {
    const { sql } = await app(shop);
    await make(sql);
    const refused = async (write: string) =>
      await sql.unsafe(write).then(
        () => 'written',
        ({ code }) => code,
      );
    while ((await call(sql, 'migrate_batch', { plan, batch_size: 2, max_ms: 1 })).migrated === 0);
    // A row that is still to be moved.
    await sql`update public.items set moved_to_new = 6 where id = 1100`;
    expect(await value(sql, `select (order_id, moved_to)::text from public.items where id = 1100`)).toBe(
      '(9,6)',
    );
    await migrateAll(sql, { plan });
    // What refers to it would not follow.
    expect(await refused(`update ${orders} set "Id_new" = 70 where "Id" = 7`)).toBe('0A000');
    for (const n of [0, 1]) {
      if (n === 1) await beforeSwap(sql);
      await sql.unsafe(`
        update public.items set order_id_new = 5, moved_to = 6 where id = ${1005 + 5 * n};
        update public.tags set order_id_new = 5 where tag = 'b' and order_id = ${2 + 2 * n};
        insert into ${orders} ("Id_new") values (${80 + n});
        insert into public.items (order_id, order_id_new) values (1, ${80 + n});`);
      expect(await sidesDiffer(sql)).toBe(0);
      expect([
        await value(
          sql,
          `select count(*)::int from public.items where id = ${1005 + 5 * n} and (order_id, moved_to) = (5, 6)`,
        ),
        await value(sql, `select count(*)::int from public.tags where order_id = 5`),
        await value(sql, `select count(*)::int from public.items where order_id = ${80 + n}`),
      ]).toEqual([1, 1, 1]);
      await sql`delete from public.tags where order_id = 5`;
      expect(await refused(`update public.items set moved_to_new = 3000000000 where id = 1000`)).toBe(
        '22003',
      );
    }
    expect((await rollbackAll(sql, { plan, force: true })).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('beside an app that goes on writing, and that holds a table for a while', async () => {
    const db = await app(shop);
    const { sql } = db;
    await make(sql);
    let isDone = false;
    let written = 0;
    const writing = (async () => {
      const client = db.connect();
      for (let n = 0; !isDone; n++) {
        // The app knows the columns by their names, and has numbers that fit either type.
        await client.begin(async (tx) => {
          await tx.unsafe(`
            with made as (insert into ${orders} (owner, parent) values ('w${n}', 2) returning "Id")
            insert into public.items (order_id, moved_to) select "Id", 4 from made`);
          await tx.unsafe(`insert into public.tags (order_id, tag) values (2, 'w${n}')`);
          await tx.unsafe(`update public.items set order_id = 6 where id = ${1000 + 5 * (n % 40)}`);
        });
        written++;
      }
    })();
    const during = async (work: () => Promise<unknown>) => {
      const before = written;
      await work();
      await until('the app has written', async () => written > before + 5);
    };
    const finish = (async () => {
      await during(() => migrateAll(sql, { plan, batch_size: 5 }));
      await during(() => beforeSwap(sql));
      const reader = db.connect();
      await reader.begin(async (tx) => {
        await tx`select from public.bills`;
        await until(
          'the swap waits',
          async () => (await call(sql, 'finalize_migration', { plan })).state === 'busy',
        );
      });
      expect(
        await value(
          sql,
          `select count(*)::int from ${plan}.twins() t join pg_attribute a on a.attrelid = t.relation::regclass and a.attname = t.twin`,
        ),
      ).toBe(7);
      await during(() => finalizeAll(sql, { plan }));
    })().finally(() => {
      isDone = true;
    });
    await Promise.all([finish, writing]);
    expect(
      await value(
        sql,
        `select count(*)::int from ${orders} o left join public.items i on i.order_id = o."Id" where o.owner ~ '^w' and i.id is null`,
      ),
    ).toBe(0);
    expect(await types(sql)).toMatch(/Orders"\.Id bigint/);
  });

  test('an identity goes on at its number, with all that its sequence and its index are', async () => {
    const { sql } = await app(`
      alter default privileges in schema public grant all on sequences to anon;
      create table public.nodes (
        id integer generated always as identity (sequence name public.node_numbers start 7 increment 3),
        up integer not null default 7 constraint above references public.nodes match full deferrable,
        constraint nodes_key primary key (id) include (up)
      );
      create unique index nodes_up on public.nodes (id, up) with (fillfactor = 80);
      alter table public.nodes alter column up set statistics 77, alter column up set (n_distinct = 5);
      alter table public.nodes replica identity using index nodes_up, cluster on nodes_key;
      revoke all on sequence public.node_numbers from anon;
      grant usage on sequence public.node_numbers to authenticated;
      comment on sequence public.node_numbers is 'By threes.';
      insert into public.nodes default values;
      insert into public.nodes default values;`);
    await make(sql, 'public.nodes', 'id');
    const what = (text: string) => value<string>(sql, text);
    const state = async () => [
      await what(
        `select string_agg(concat_ws(' ', pg_get_indexdef(indexrelid), indisprimary, indisreplident, indisclustered), ', ' order by 1) from (select * from pg_index order by indexrelid::regclass::text) i where indrelid = 'public.nodes'::regclass`,
      ),
      await what(
        `select concat_ws(' ', attnotnull, attstattarget, attoptions) from pg_attribute where attrelid = 'public.nodes'::regclass and attname = 'up'`,
      ),
      await what(
        `select concat_ws(' ', pg_get_serial_sequence('public.nodes', 'id'), s.seqstart, s.seqincrement, s.seqcache, c.relacl, obj_description(c.oid)) from pg_sequence s join pg_class c on c.oid = s.seqrelid where c.relname = 'node_numbers'`,
      ),
      await what(
        `select pg_get_constraintdef(oid) || convalidated from pg_constraint where conname = 'above'`,
      ),
      await what(`select last_value || is_called::text from public.node_numbers`),
    ];
    const before = await state();
    await migrateAll(sql, { plan });
    await finalizeAll(sql, { plan });
    expect(await state()).toEqual(before);
    const maximum = `select seqtypid::regtype || ' ' || seqmax from pg_sequence where seqrelid = 'public.node_numbers'::regclass`;
    expect(await what(maximum)).toBe('bigint 9223372036854775807');
    expect(await what(`insert into public.nodes default values returning id::text`)).toBe('13');
    await expect(sql`insert into public.nodes (id) values (1)`).rejects.toMatchObject({ code: '428C9' });
  });

  test('has nothing wrong with it, and keeps what every plan has to keep', async () => {
    const tables = `
      create table public.orders (id serial primary key, parent integer references public.orders, note text);
      create table public.items (id uuid primary key, order_id integer not null references public.orders on delete cascade, moved_to integer references public.orders);
      create table public.tags (order_id integer references public.orders on delete cascade, tag text, primary key (order_id, tag));`;
    const { sql } = await app(tables);
    const project = await make(sql, 'public.orders', 'id');
    const { fixture, makeRows } = readBehaviour(project, plan);
    const made = async (before: string, rows: number) => {
      const db = await app(before);
      if (rows > 0) await makeRows(db.sql, rows);
      await push(db.sql, project);
      return db;
    };
    const template = await made(tables, 20);
    await template.sql.end();
    const place = {
      bare: () => made('select', 0),
      app: async () => {
        const db = await freshDatabase({ template: template.name });
        databases.push(db);
        return db;
      },
    };
    // The others differ least from plan to plan.
    const titles =
      /^(a dry run|forward and back|half-way|one entity|once moved|the app goes on|finalize|says what)/;
    for (const { title, run } of checksOf(plan, fixture, place)) if (titles.test(title)) await run();

    const bare = await app('select');
    const makeApp = async (db: Sql, entities: number) => {
      await db.unsafe(tables);
      await makeRows(db, entities);
    };
    expect(await checkPlan(bare.sql, { plan, migration: migrationOf(project), makeApp })).toEqual([]);
  });

  describe('refuses', () => {
    test.each([
      [
        'a foreign key of several columns',
        `alter table public.items add column o integer, add column p integer; alter table shop."Orders" add unique ("Id", parent); alter table public.items add constraint both_fkey foreign key (o, p) references shop."Orders" ("Id", parent)`,
        'both_fkey',
      ],
      [
        'a reference of another type',
        `create domain public.number as integer; create table public.dear (id integer primary key, order_id public.number references shop."Orders")`,
        'public.dear.order_id',
      ],
      [
        'a table that is partitioned',
        `create table public.parts (id integer, order_id integer references shop."Orders", primary key (id)) partition by range (id)`,
        'public.parts',
      ],
      [
        'a table that no one can walk',
        `create table public.pairs (a text, b text, order_id integer references shop."Orders", primary key (a, b))`,
        'walk_id',
      ],
      [
        'a table without a primary key',
        `create table public.loose (order_id integer references shop."Orders")`,
        'public.loose',
      ],
      ['a name that is taken', `alter table public.items add column order_id_new integer`, 'order_id_new'],
      [
        'a deferrable constraint',
        `alter table public.items add constraint once unique (moved_to, id) deferrable`,
        'once',
      ],
      [
        'an exclusion constraint',
        `alter table public.items add constraint apart exclude using btree (moved_to with =, id with =)`,
        'apart',
      ],
    ])('when it is written: %s', async (_, statement, named) => {
      const { sql } = await app(shop);
      await sql.unsafe(statement);
      const raised = await make(sql).then(
        () => undefined,
        (error: { code: string; message: string; hint: string }) => error,
      );
      expect(`${raised?.message} ${raised?.hint}`).toContain(named);
    });

    test('by its preflight and before it closes the way back, what would not come along', async () => {
      const { sql } = await app(shop);
      await make(sql);
      const statements: Record<string, string> = {
        'materialized view public.known': `create materialized view public.known as select "Id" from ${orders}`,
        'column doubled': `alter table ${orders} add column doubled integer generated always as ("Id" * 2) stored`,
        everything: `alter publication everything set table ${orders} ("Id", owner), public.items`,
        'function public.first_order': `create function public.first_order() returns integer language sql begin atomic select min("Id") from ${orders}; end`,
        'public.late': `create table public.late (order_id integer primary key references ${orders})`,
        'index public.late_index': `create index late_index on public.items (moved_to, id)`,
        'public.bills_pkey': `alter index public.bills_pkey rename to bills_key`,
        'shop.open_items': `create trigger instead instead of insert on shop.open_items for each row execute function public.noted()`,
      };
      for (const statement of Object.values(statements)) await sql.unsafe(statement);
      const { problems } = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' });
      const said = problems.map(({ object }: { object: string }) => object).join('\n');
      for (const named of Object.keys(statements)) expect(said).toContain(named);
      expect((await refusal(call(sql, 'migrate_batch', { plan }))).code).toBe('IM006');
    });

    test('at finalize, what has come since', async () => {
      const { sql } = await app(shop);
      await make(sql);
      await migrateAll(sql, { plan });
      await sql.unsafe(`create table public.late (order_id integer primary key references ${orders})`);
      expect((await refusal(finalizeAll(sql, { plan }))).message).toContain('dependents');
      await sql`drop table public.late`;
      await beforeSwap(sql);
      await sql.unsafe(`create table public.late (order_id integer primary key references ${orders})`);
      expect((await refusal(finalizeAll(sql, { plan }))).code).toMatch(/IM038|IM041/);
      expect(await types(sql)).toContain('"Orders".Id integer');
      await rollbackAll(sql, { plan });
    });
  });
});
