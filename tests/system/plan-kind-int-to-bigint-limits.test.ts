import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readBehaviour } from '../../scripts/plan/behaviour.ts';
import { checkPlan } from '../../scripts/plan/check.ts';
import { checksOf } from '../../scripts/plan/conformance/suite.ts';
import { createPlan } from '../../scripts/plan/create.ts';
import { readAction } from '../../scripts/plan/options.ts';
import { readPlan, readProject, wholeText } from '../../scripts/plan/project.ts';
import { call, refusal } from '../support/call.ts';
import { freshDatabase } from '../support/database.ts';
import { finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { projectFolder } from '../support/project.ts';
import { app, beforeSwap, make, migrationOf, orders, plan, push, shop, types } from '../support/wide-keys.ts';

/** The ready-made plan `int-to-bigint`: what every plan has to keep, and what it refuses. */

describe('int-to-bigint', () => {
  test('has nothing wrong with it, and keeps what every plan has to keep', async () => {
    const tables = `
      create table public.orders (id serial primary key, parent integer references public.orders, note text);
      create table public.items (id uuid primary key, order_id integer not null references public.orders on delete cascade, moved_to integer references public.orders);
      create table public.links ("from" integer references public.orders on delete cascade, "to" integer references public.orders, primary key ("from", "to"));`;
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
    const copy = async (name: string) => {
      const db = await freshDatabase({ template: name });
      onTestFinished(db.drop);
      return db;
    };
    const place = { bare: () => made('select', 0), app: () => copy(template.name), copy };
    // The others differ least from plan to plan, or are tried beside it: an app that goes on writing.
    const titles = /^(a dry run|forward and back|half-way|one entity|once moved|finalize|says what)/;
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
        'more tables than a plan can follow',
        `do $$ begin for i in 1..24 loop execute format('create table public.more_%s (id integer primary key references shop."Orders")', i); end loop; end $$`,
        'a plan keeps 23 equal',
      ],
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

    test('a column that is no key of type integer, and to walk by another', async () => {
      const { sql } = await app(shop);
      await expect(make(sql, 'public.audit', 'id')).rejects.toMatchObject({ code: 'bad-key' });
      const words = ['new', plan, '--source', 'shop.Orders', '--kind', 'int-to-bigint', '--column', 'Id'];
      expect(readAction(words, 'plan')).toMatchObject({ wish: { key: 'Id' } });
      const other = readAction([...words, '--key', 'owner'], 'plan');
      await sql.unsafe(`create unique index on ${orders} (owner)`);
      const project = readProject(await projectFolder());
      const { wish } = other.kind === 'new' ? other : { wish: undefined };
      if (wish) await expect(createPlan(sql, project, wish)).rejects.toMatchObject({ code: 'bad-key' });
      expect(wish?.key).toBe('owner');
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
      // A plan that is under way has their keys in its journal.
      const other = readProject(await projectFolder());
      const kind = { name: 'backfill', options: { column: 'label', value: 's.no' } };
      await createPlan(sql, other, {
        plan: 'labels',
        source: 'public.bills',
        key: 'order_id',
        column: 'label',
        kind,
      });
      await sql.begin((tx) => tx.unsafe(wholeText(readPlan(other, 'labels').sources)));
      while ((await call(sql, 'prepare_migration', { plan: 'labels' })).has_more);
      const { problems } = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' });
      const said = problems.map(({ object }: { object: string }) => object).join('\n');
      for (const named of [...Object.keys(statements), 'labels']) expect(said).toContain(named);
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
