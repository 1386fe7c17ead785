import type { Sql } from 'postgres';
import { describe, expect, test } from 'vitest';
import { finalize } from '../../scripts/plan/conformance/steps.ts';
import { call, refusal, value } from '../support/call.ts';
import { cleanUpAll, finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { until } from '../support/until.ts';
import { app, beforeSwap, contents, make, orders, plan, shape, shop, types } from '../support/wide-keys.ts';

/** The ready-made plan `int-to-bigint`: there, back and to its end, beside an app that writes. */

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
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
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
    // A row that no sync has reached can be written all the same.
    await sql.unsafe(`
      alter table public.items drop constraint wide_equal, disable trigger user;
      update public.items set order_id_new = null where id = 1100;
      alter table public.items enable trigger user;
      select ${plan}.hold_3();
      update public.items set moved_to = moved_to where id = 1100;`);
    expect(await sidesDiffer(sql)).toBe(0);
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
    // Who was locked too often is tried again.
    const migrate = () =>
      until('all are moved', async () => {
        const hasAll = (await migrateAll(sql, { plan, batch_size: 5 })).at(-1)?.state === 'succeeded';
        if (!hasAll) await call(sql, 'retry_failed_migrations', { plan });
        return hasAll;
      });
    const finish = (async () => {
      await during(migrate);
      await during(() => beforeSwap(sql));
      // All tables have to be held for a moment; who does not get them tries again.
      await during(() =>
        until('all is back', async () => (await rollbackAll(sql, { plan })).at(-1)?.state === 'succeeded'),
      );
      await migrate();
      await beforeSwap(sql);
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
      insert into public.nodes default values;
      analyze public.nodes;`);
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
    // As for a large table: what takes long is done beside the app.
    await sql`update imago.setting set value = '0' where name in ('direct_mb', 'hold_ms')`;
    await finalize(sql, plan);
    expect(await state()).toEqual(before);
    const maximum = `select seqtypid::regtype || ' ' || seqmax from pg_sequence where seqrelid = 'public.node_numbers'::regclass`;
    expect(await what(maximum)).toBe('bigint 9223372036854775807');
    expect(await what(`insert into public.nodes default values returning id::text`)).toBe('13');
    await expect(sql`insert into public.nodes (id) values (1)`).rejects.toMatchObject({ code: '428C9' });
  });
});
