/** imago.in_batch(): a trigger of the app can tell the writes of Imago from those of its people, and nobody can make it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readParts, uninstallPart } from '../../scripts/install/parts.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createPlan, type PlanParts } from '../support/plan.ts';

const ROWS = 8;
const ROLES = ['anon', 'authenticated', 'service_role'] as const;

/** Moves one column of items into another; what a person writes there is followed. */
const shouting: PlanParts = {
  name: 'shouting',
  table: 'items',
  key: 'id',
  keyType: 'integer',
  pending: 's.loud is null',
  apply: 'update public.items set loud = upper(label) where id = any (keys) and loud is null;',
  writes: [{ relation: 'public.items', entity: 'id', columns: ['loud'] }],
  syncs: [
    {
      name: 'labels',
      relation: 'public.items',
      entity: 'id',
      columns: ['label'],
      statement:
        'update public.items i set loud = upper(n.label) from new_rows n where i.id = n.id and i.loud is distinct from upper(n.label)',
    },
  ],
};

/** Follows what shouting writes, in a table of its own. */
const listening: PlanParts = {
  name: 'listening',
  table: 'items',
  key: 'id',
  keyType: 'integer',
  pending: 'not exists (select from public.heard h where h.item = s.id)',
  apply:
    'insert into public.heard (item, what) select i.id, i.loud from public.items i where i.id = any (keys);',
  writes: [{ relation: 'public.heard', entity: 'item', inserts: true, columns: ['what'] }],
  syncs: [
    {
      name: 'loud',
      relation: 'public.items',
      entity: 'id',
      events: ['update'],
      columns: ['loud'],
      statement: 'update public.heard h set what = n.loud from new_rows n where h.item = n.id',
    },
  ],
};

let db: TestDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  await db.sql.unsafe(`
    create table public.items (id integer primary key, label text, loud text);
    create table public.heard (item integer primary key, what text);
    insert into public.items select n, 'item ' || n from generate_series(1, ${ROWS}) n;
    create table public.calls (n bigint generated always as identity, item integer);
    create table public.writes (n bigint generated always as identity, relation text, quiet boolean);
    create function public.call_out() returns trigger language plpgsql as $$
      begin
        if imago.in_batch() then return null; end if;
        insert into public.calls (item) values (new.id);
        return null;
      end $$;
    create function public.look() returns trigger language plpgsql as $$
      begin
        insert into public.writes (relation, quiet) values (tg_table_name, imago.in_batch());
        return null;
      end $$;
    create trigger webhook after insert or update on public.items for each row execute function public.call_out();
    create trigger look after insert or update on public.items for each row execute function public.look();
    create trigger look after insert or update or delete on public.heard for each row execute function public.look();
    grant all on public.items, public.calls, public.writes to anon, authenticated, service_role;`);
  await createPlan(db.sql, shouting);
  await createPlan(db.sql, listening);
});
afterAll(() => db.drop());

/** Rows that were written since the last question: by table and by what the function said; and calls made. */
async function since(): Promise<unknown> {
  const writes = await db.sql`
    with gone as (delete from public.writes returning *)
    select relation, quiet, count(*)::int as rows from gone group by 1, 2 order by 1, 2`;
  const calls = await db.sql`delete from public.calls`;
  return { writes: [...writes], calls: calls.count };
}

describe('imago.in_batch()', () => {
  test('keeps a webhook quiet forward and back, and what a sync of another plan writes within a batch', async () => {
    await migrateAll(db.sql, { plan: 'listening' });
    expect(await since()).toEqual({ writes: [{ relation: 'heard', quiet: true, rows: ROWS }], calls: 0 });
    await migrateAll(db.sql, { plan: 'shouting' });
    const both = [
      { relation: 'heard', quiet: true, rows: ROWS },
      { relation: 'items', quiet: true, rows: ROWS },
    ];
    expect(await since()).toEqual({ writes: both, calls: 0 });
    expect((await rollbackAll(db.sql, { plan: 'shouting' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await since()).toEqual({ writes: both, calls: 0 });
    await migrateAll(db.sql, { plan: 'shouting' });
    await since();
  });

  test('keeps it quiet while a check is fixed', async () => {
    await db.sql.unsafe(`
      create function shouting.shout(keys integer[]) returns void language sql set search_path = '' as
        'select set_config(''search_path'', imago.app_search_path(), true);
         update public.items set loud = upper(label) where id = any (keys)';
      insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, source, query, fix)
      values ('shouting', 1, 'loud', 'error', 'during', 'Not loud.', 'Fix it.', 'public.items',
        'select s.id as key, s.id as entity from public.items s where s.loud is distinct from upper(s.label)', 'shout');
      update public.items set loud = 'quiet' where id = 3;`);
    await since();
    while ((await call(db.sql, 'validate_migration', { plan: 'shouting', fix_issues: true })).has_more);
    expect(await value(db.sql, 'select loud from public.items where id = 3')).toBe('ITEM 3');
    expect(await since()).toMatchObject({ calls: 0 });
  });

  test('is false for what people write, and for what syncs make of it', async () => {
    await db.sql`update public.items set label = 'mine' where id = 1`;
    expect(await since()).toEqual({
      writes: [
        { relation: 'heard', quiet: false, rows: 1 },
        { relation: 'items', quiet: false, rows: 2 },
      ],
      calls: 2,
    });
  });

  test('does not take the batch of a sync for one of Imago, whatever a trigger makes of the settings', async () => {
    await db.sql.unsafe(`
      create function public.forge() returns trigger language plpgsql as $$
        begin
          perform set_config('imago.outer', current_setting('imago.batch', true), true);
          return null;
        end $$;
      create trigger a_forger before update on public.items for each statement execute function public.forge();
      update public.items set label = 'forged' where id = 4;
      drop function public.forge() cascade;`);
    expect(await since()).toMatchObject({ calls: 2 });
  });

  test.each(ROLES)('may be asked by %s, who cannot make it true', async (role) => {
    const batches = await db.sql<{ batch: string }[]>`
      select distinct on (path) plan || ':' || id as batch from imago.batch order by path, id desc`;
    expect(batches.length).toBeGreaterThan(1);
    const one = db.connect({ role, max: 1 });
    for (const { batch } of batches) {
      await one`select set_config('imago.batch', ${batch}, false), set_config('imago.outer', ${batch}, false)`;
      expect(await value(one, 'select imago.in_batch()')).toBe(false);
      await one`update public.items set label = label || '!', loud = null where id = 2`;
    }
    expect(await since()).toMatchObject({ calls: 2 * batches.length });
  });

  test('stops no write of the app once Imago is removed, which is refused as long as one would', async () => {
    const remove = () => db.sql.begin((tx) => tx.unsafe(uninstallPart(true).text));
    const error = await refusal(remove());
    expect([error.code, error.message]).toEqual([
      'IM055',
      'Imago cannot be removed: the app uses it (function call_out(), function look())',
    ]);
    await db.sql.unsafe(`
      create or replace function public.call_out() returns trigger language plpgsql as $$
        begin
          if to_regprocedure('imago.in_batch()') is not null then if imago.in_batch() then return null; end if; end if;
          insert into public.calls (item) values (new.id);
          return null;
        end $$;
      create or replace function public.look() returns trigger language plpgsql as $$
        begin
          return null; -- once: imago.in_batch()
        end $$;`);
    await db.sql`update public.items set label = 'before' where id = 5`;
    await remove();
    await db.sql`update public.items set label = 'after' where id = 5`;
    expect((await db.sql`select from public.calls where item = 5`).length).toBe(3);
  });
});

test('to use the schema opens nothing else in it, whatever the default privileges of the project say', async () => {
  const bare = await freshDatabase({ migrated: false });
  const reader = `app_${process.pid}_reader`;
  try {
    await bare.sql.unsafe(`
      create role ${reader};
      alter default privileges grant all on tables to public, anon, authenticated, ${reader};
      alter default privileges grant all on sequences to public, anon, authenticated, ${reader};
      alter default privileges grant all on functions to public, anon, authenticated, ${reader};`);
    for (const { text } of readParts()) await bare.sql.unsafe(text);
    const open = await bare.sql`
      with roles(role) as (values ('public'), ('anon'), ('authenticated'), (${reader}::text))
      select distinct p.oid::regprocedure::text as object from pg_proc p, roles
      where p.pronamespace = 'imago'::regnamespace and has_function_privilege(role, p.oid, 'execute')
      union all
      select c.oid::regclass::text from pg_class c, roles
      where c.relnamespace = 'imago'::regnamespace and case
        when c.relkind = 'S' then has_sequence_privilege(role, c.oid, 'usage, select, update')
        when c.relkind in ('r', 'p', 'v', 'm')
          then has_table_privilege(role, c.oid, 'insert, update, delete, truncate, references, trigger')
            or has_any_column_privilege(role, c.oid, 'select, insert, update, references') end
      union all
      select role || ' may create' from roles where has_schema_privilege(role, 'imago', 'create')`;
    expect([...open]).toEqual([{ object: 'imago.in_batch()' }]);
  } finally {
    await bare.drop();
    await db.sql.unsafe(`drop role ${reader}`);
  }
});
