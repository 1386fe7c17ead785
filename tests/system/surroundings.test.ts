import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { freshDatabase, madeOnce, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, PLAN, type PlanParts } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const ROWS = 40;

const plan: PlanParts = {
  table: 'items',
  key: 'id',
  keyType: 'integer',
  pending: 's.label is null',
  apply: `
    update public.items set label = 'item ' || id where id = any (keys) and label is null;
    insert into public.copies (item, label) select id, label from public.items where id = any (keys) on conflict do nothing;`,
  writes: [
    { relation: 'public.items', entity: 'id', columns: ['label'] },
    { relation: 'public.copies', entity: 'item', inserts: true },
  ],
};

/** Items to copy, and what a test adds. */
async function items(more = ''): Promise<TestDatabase> {
  const db = await freshDatabase({});
  databases.push(db);
  await fill(db.sql, more);
  return db;
}

async function fill(sql: Sql, more = ''): Promise<void> {
  await sql.unsafe(`
    create table public.items (
      id int primary key, label text, version int not null default 1, etag text not null default 'one', amount numeric,
      tags text[], payload json, edited date default '2020-01-01', copies int not null default 0,
      updated_at timestamptz not null default '2020-01-01');
    create table public.copies (item int primary key, label text, deleted_at timestamptz);
    insert into public.items (id, amount, tags, payload)
    select i, i * 1.10, array['t' || i, null, 'a,b'], json_build_object('i', i) from generate_series(1, ${ROWS}) i;
    ${more}`);
  await createPlan(sql, plan);
}

/** The rows of the migrated items before they were moved. */
let unmoved: Record<string, string[]> = {};

const templates = {
  prepared: madeOnce(async (sql) => {
    await fill(sql);
    await prepareAll(sql, PLAN);
  }),
  migrated: madeOnce(async (sql) => {
    await fill(sql, `insert into public.copies (item, label) values (500, 'the app''s');`);
    unmoved = await contents(sql, ['public.items', 'public.copies']);
    expect((await migrateAll(sql, { plan: PLAN, batch_size: 15 })).at(-1)).toMatchObject({
      state: 'succeeded',
    });
  }),
};

/** Items with a plan that is so far; once migrated, with a copy that is the app's own. */
async function itemsOf(state: keyof typeof templates): Promise<TestDatabase> {
  const db = await freshDatabase({ template: await templates[state]() });
  databases.push(db);
  return db;
}

const migrate = ({ sql }: TestDatabase) => migrateAll(sql, { plan: PLAN, batch_size: 15 });
const back = ({ sql }: TestDatabase) => rollbackAll(sql, { plan: PLAN });

/** So that triggers in one batch touch rows that went in another. */
const smallBatches = ({ sql }: TestDatabase) =>
  sql.unsafe(`
    create function public.small() returns trigger language plpgsql as 'begin new.batch_size := 15; return new; end';
    create trigger small before insert or update on imago.lane for each row execute function public.small()`);

const moved = ({ sql }: TestDatabase) => value(sql, 'select count(label)::int from public.items');

describe('rows that the journal would miss', () => {
  const holes: [what: string, cause: RegExp, sql: string][] = [
    [
      'the update trigger disabled',
      /is disabled/,
      `alter table public.items disable trigger "~imago_${PLAN}_update"`,
    ],
    ['all triggers of the table disabled', /is disabled/, 'alter table public.copies disable trigger user'],
    [
      'a trigger that fires for replicas only',
      /replicas only/,
      `alter table public.items enable replica trigger "~imago_${PLAN}_update"`,
    ],
    ['a trigger dropped', /is missing/, `drop trigger "~imago_${PLAN}_insert" on public.copies`],
    [
      'the function of a trigger replaced',
      /was replaced/,
      `create or replace function imago_undo.${PLAN}_public_items_update() returns trigger language plpgsql as 'begin return null; end'`,
    ],
  ];
  for (const [what, cause, statement] of holes) {
    test(`${what}: the batch is taken back, and the run stops with IM060, the relation and the cause`, async () => {
      const db = await itemsOf('prepared');
      await db.sql.unsafe(statement);
      const last = (await migrate(db)).at(-1);
      expect(last).toMatchObject({
        status: 'failed',
        error: { code: 'IM060', message: expect.stringMatching(cause) },
      });
      expect(last?.error?.message).toMatch(/public\.(items|copies)/);
      expect(await moved(db)).toBe(0);
      const { healthy, checks } = await call(db.sql, 'validate_migration', { plan: PLAN });
      expect(healthy).toBe(false);
      expect(checks.find(({ name }: { name: string }) => name === 'undo_journal').found).toBeGreaterThan(0);
    });
  }

  test('the table swapped under its name: stops before anything is touched (IM076), and the validator names it', async () => {
    const db = await itemsOf('prepared');
    await db.sql.unsafe(
      `alter table public.copies rename to copies_of_old; create table public.copies (like public.copies_of_old including all)`,
    );
    await expect(migrate(db)).rejects.toMatchObject({
      code: 'IM076',
      message: expect.stringContaining('public.copies is another table now'),
    });
    expect(await moved(db)).toBe(0);
    const { healthy, checks } = await call(db.sql, 'validate_migration', { plan: PLAN });
    expect(healthy).toBe(false);
    expect(checks.find(({ name }: { name: string }) => name === 'requirements').found).toBeGreaterThan(0);
  });

  test('a function of the app that switches triggers off: the batch is taken back, and the run stops with IM060', async () => {
    const db = await itemsOf('prepared');
    const admin = db.connect({ role: 'supabase_admin' });
    await admin.unsafe(`
      create function public.quietly() returns trigger language plpgsql security definer set session_replication_role = replica as $$
      begin update public.items set label = label || '!' where id = new.item; return new; end $$;
      create trigger quietly after insert on public.copies for each row execute function public.quietly();`);
    const last = (await migrate(db)).at(-1);
    expect(last).toMatchObject({
      status: 'failed',
      error: { code: 'IM060', message: expect.stringContaining('public.items') },
    });
    expect(await moved(db)).toBe(0);
  });

  test('writes that a trigger of the app takes back by itself: no error, and all is moved', async () => {
    const db = await items(`
      create function public.tries() returns trigger language plpgsql as $$
      begin
        begin
          update public.items set label = 'never' where id = new.item;
          raise exception 'no';
        exception when others then null;
        end;
        return new;
      end $$;
      create trigger tries after insert on public.copies for each row execute function public.tries();`);
    const original = await contents(db.sql, ['public.items', 'public.copies']);
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await moved(db)).toBe(ROWS);
    await back(db);
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
  });

  test('a publication for all tables: forward and back go through', async () => {
    const db = await items();
    const admin = db.connect({ role: 'supabase_admin' });
    await admin`create publication everything for all tables`;
    const original = await contents(db.sql, ['public.items', 'public.copies']);
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
    const bare = await db.sql`
      select c.oid::regclass::text as name from pg_class c
      where c.relkind in ('r', 'p') and c.relnamespace in ('imago'::regnamespace, 'imago_undo'::regnamespace)
        and c.relreplident <> 'f' and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)`;
    expect([...bare]).toEqual([]);
  });
});

describe('a rollback that something of the app keeps from taking rows back:', () => {
  const keepers: [what: string, sql: string][] = [
    [
      'a soft delete',
      `create function public.soft() returns trigger language plpgsql as $$
         begin update public.copies set deleted_at = now() where item = old.item; return null; end $$;
       create trigger soft before delete on public.copies for each row when (old.item % 10 = 1) execute function public.soft()`,
    ],
    [
      'a trigger that keeps the row',
      `create function public.keep() returns trigger language plpgsql as $$ begin return null; end $$;
       create trigger keep before delete on public.copies for each row when (old.item % 10 = 2) execute function public.keep()`,
    ],
    [
      'a trigger that inserts it again',
      `create function public.again() returns trigger language plpgsql as $$
         begin insert into public.copies (item, label) values (old.item, old.label); return null; end $$;
       create trigger again after delete on public.copies for each row when (old.item % 10 = 3) execute function public.again()`,
    ],
    [
      'a rule that does something instead',
      'create rule instead as on delete to public.copies where old.item % 10 = 4 do instead nothing',
    ],
    [
      'a trigger that keeps the old value',
      `create function public.stays() returns trigger language plpgsql as $$ begin return old; end $$;
       create trigger stays before update on public.items for each row when (old.label is not null and old.id % 10 = 5) execute function public.stays()`,
    ],
    [
      'a trigger that writes another value',
      `create function public.other() returns trigger language plpgsql as $$ begin new.label := coalesce(new.label, 'none'); return new; end $$;
       create trigger other before update on public.items for each row when (old.id % 10 = 6) execute function public.other()`,
    ],
    [
      'a trigger that changes it again afterwards',
      `create function public.after() returns trigger language plpgsql as $$
         begin update public.items set label = 'again' where id = new.id and label is null; return null; end $$;
       create trigger after after update on public.items for each row when (old.id % 10 = 7 and new.label is null) execute function public.after()`,
    ],
  ];
  test('these entities are failures that say so, with their journal, the others go back', async () => {
    const db = await itemsOf('migrated');
    // Each keeps the entities of one last digit, in their order from 1 on.
    for (const [, statement] of keepers) await db.sql.unsafe(statement);
    const last = (await back(db)).at(-1);
    expect(last?.state).not.toBe('succeeded');
    const failures =
      await db.sql`select entity, sqlstate, table_name from imago.failure order by entity::int`;
    const kept = Array.from({ length: ROWS }, (_, i) => i + 1).filter(
      (id) => id % 10 >= 1 && id % 10 <= keepers.length,
    );
    expect(failures.map(({ entity, sqlstate }) => [Number(entity), sqlstate])).toEqual(
      kept.map((id) => [id, 'IM061']),
    );
    expect(await moved(db)).toBe(kept.length);
    expect(await value(db.sql, `select count(*)::int from public.copies where item <= ${ROWS}`)).toBe(
      kept.length,
    );
    expect(await value(db.sql, `select count(*)::int from imago_undo.${PLAN}_public_items`)).toBe(
      kept.length,
    );
    await db.sql.unsafe(`
      drop trigger soft on public.copies; drop trigger keep on public.copies; drop trigger again on public.copies;
      drop trigger stays on public.items; drop trigger other on public.items; drop trigger after on public.items;
      drop rule instead on public.copies`);
    await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await moved(db)).toBe(0);
  });
});

describe('a trigger of the app that deletes rows of declared tables, or changes their keys', () => {
  const on = (table: string, event: string, doing: string, name = 'strikes') => `
    create function public.${name}() returns trigger language plpgsql as $$ begin ${doing} return coalesce(new, old); end $$;
    create trigger ${name} ${event} on public.${table} for each row execute function public.${name}();`;
  const hits = (row: string, digit = 3) => `if ${row} % 10 = ${digit} and ${row} < 1000 then`;
  /** The entities whose last digit is one of these. */
  const ending = (digits: number[]) =>
    Array.from({ length: ROWS }, (_, i) => i + 1).filter((id) => digits.includes(id % 10));
  const whileMoving: [what: string, sql: string][] = [
    [
      'changes the key of a row before it is written',
      on('items', 'before update', `${hits('old.id', 1)} new.id := old.id + 1000; end if;`, 'strikes_1'),
    ],
    [
      'changes the key of a row afterwards',
      on(
        'copies',
        'after insert',
        `${hits('new.item', 3)} update public.items set id = id + 1000 where id = new.item; end if;`,
        'strikes_3',
      ),
    ],
    [
      'changes the key of a row that was inserted',
      on(
        'copies',
        'after insert',
        `${hits('new.item', 5)} update public.copies set item = item + 1000 where item = new.item; end if;`,
        'strikes_5',
      ),
    ],
    [
      'deletes another row',
      on(
        'items',
        'after update',
        `${hits('old.id', 7)} delete from public.items where id = old.id - 1; end if;`,
        'strikes_7',
      ),
    ],
    [
      'deletes a row of the app where others are inserted',
      on(
        'copies',
        'after insert',
        `${hits('new.item', 9)} delete from public.copies where item = 500; end if;`,
        'strikes_9',
      ),
    ],
  ];
  test('while entities are moved: these are set aside (IM068, IM072), and nothing is lost', async () => {
    const db = await items(
      `insert into public.copies (item, label) values (500, 'the app''s'); ${whileMoving.map(([, statement]) => statement).join('\n')}`,
    );
    const original = await contents(db.sql, ['public.items', 'public.copies']);
    const hit = ending([1, 3, 5, 7, 9]);
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'failed', failures_left: hit.length });
    const failures =
      await db.sql`select entity, sqlstate, table_name from imago.failure order by entity::int`;
    expect(failures.map(({ entity, sqlstate }) => [Number(entity), sqlstate])).toEqual(
      hit.map((id) => [id, expect.stringMatching(/^IM0(68|72)$/)]),
    );
    for (const failure of failures) expect(failure.table_name).toMatch(/^public\.(items|copies)$/);
    expect(await moved(db)).toBe(ROWS - hit.length);
    await back(db);
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
  });

  const whileGoingBack: [what: string, sql: string][] = [
    [
      'changes the key of a row afterwards',
      on(
        'items',
        'after update',
        `${hits('old.id', 1)} update public.items set id = id + 1000 where id = new.id; end if;`,
        'strikes_1',
      ),
    ],
    [
      'deletes a row of the app',
      on(
        'copies',
        'after delete',
        `${hits('old.item', 3)} delete from public.copies where item = 500; end if;`,
        'strikes_3',
      ),
    ],
    [
      'deletes what has just gone back',
      on(
        'copies',
        'after delete',
        `${hits('old.item', 5)} delete from public.items where id = old.item; end if;`,
        'strikes_5',
      ),
    ],
  ];
  test('while rows go back: the same, and all go back once it is gone', async () => {
    const db = await itemsOf('migrated');
    await db.sql.unsafe(whileGoingBack.map(([, statement]) => statement).join('\n'));
    expect((await back(db)).at(-1)).toMatchObject({ state: 'failed' });
    const hit = ending([1, 3, 5]);
    const failures = await db.sql`select entity, sqlstate from imago.failure order by entity::int`;
    expect(failures.map(({ entity, sqlstate }) => [Number(entity), sqlstate])).toEqual(
      hit.map((id) => [id, 'IM072']),
    );
    expect(await moved(db)).toBe(hit.length);
    for (const digit of [1, 3, 5]) await db.sql.unsafe(`drop function public.strikes_${digit} cascade`);
    await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(unmoved);
  });

  test('one that sets the key of a row before it is written has no say while rows go back: all is as it was', async () => {
    const db = await itemsOf('migrated');
    await db.sql.unsafe(on('items', 'before update', `${hits('old.id')} new.id := old.id + 1000; end if;`));
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(unmoved);
  });

  test('who changed the key is named; rows that a batch inserts, deletes and inserts again are its own', async () => {
    const db = await items(
      on(
        'copies',
        'after insert',
        `
        if pg_trigger_depth() = 1 then
          delete from public.copies where item = new.item; insert into public.copies (item, label) values (new.item, new.label || '!');
          if new.item = 3 then update public.items set id = 1003 where id = 3; end if;
        end if;`,
      ),
    );
    const original = await contents(db.sql, ['public.items', 'public.copies']);
    await migrate(db);
    expect(await db.sql`select entity, sqlstate, raised_by from imago.failure`).toMatchObject([
      {
        entity: '3',
        sqlstate: 'IM072',
        raised_by: expect.stringMatching(/^public\.strikes line 4 \(trigger strikes on public\.copies\)/),
      },
    ]);
    await back(db);
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
  });
});

describe('an event trigger of the app', () => {
  /** As Supabase allows it to its superuser only. */
  async function refusing(db: TestDatabase, tag: string): Promise<() => Promise<unknown>> {
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    await admin.unsafe(`
      create function public.no_ddl() returns event_trigger language plpgsql as $$ begin raise exception 'not now'; end $$;
      create event trigger no_ddl on ddl_command_start when tag in ('${tag}') execute function public.no_ddl()`);
    return () => admin`drop event trigger no_ddl`;
  }
  const by = 'P0001 in public.no_ddl line 1';

  test('that lets nobody drop triggers: all goes back, the run stops with IM041 and its name, and a retry ends it', async () => {
    const db = await itemsOf('migrated');
    const allow = await refusing(db, 'DROP TRIGGER');
    expect((await back(db)).at(-1)).toMatchObject({
      status: 'failed',
      error: { code: 'IM041', message: `step triggers of Imago of plan ${PLAN} failed: SQLSTATE ${by}` },
    });
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(unmoved);
    await allow();
    await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('that lets nobody make triggers, when one of the app has come: forward goes on, back is refused (IM073) until it may', async () => {
    const db = await itemsOf('prepared');
    const original = await contents(db.sql, ['public.items', 'public.copies']);
    await call(db.sql, 'migrate_batch', { plan: PLAN, max_ms: 1, batch_size: 5 });
    await db.sql`create function public.f() returns trigger language plpgsql as $$ begin new.version := old.version + 1; return new; end $$`;
    await db.sql`create trigger f before update on public.items for each row execute function public.f()`;
    const allow = await refusing(db, 'CREATE TRIGGER');
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    await expect(back(db)).rejects.toMatchObject({ code: 'IM073', message: expect.stringContaining(by) });
    // In a job nobody reads what is raised.
    await db.sql`select imago.start_rollback(${PLAN}, false)`;
    expect(await value(db.sql, `select imago.tick('${PLAN}')`)).toMatchObject({
      code: 'IM073',
      message: expect.stringContaining(by),
    });
    expect(
      await value(db.sql, `select detail ->> 'message' from migration_log where event = 'tick'`),
    ).toContain(by);
    await allow();
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
  });

  test('that lets nobody drop tables: clean-up fails with IM041 and its name, and drops nothing', async () => {
    const db = await itemsOf('migrated');
    await back(db);
    const allow = await refusing(db, 'DROP TABLE');
    const clean = () => call(db.sql, 'cleanup_migration', { plan: PLAN, older_than: '0' });
    await expect(clean()).rejects.toMatchObject({ code: 'IM041', message: expect.stringContaining(by) });
    await allow();
    expect(await clean()).toMatchObject({ state: 'cleaning up', step: 'journal' });
  });
});

describe('rules of the app, and what else no trigger sees', () => {
  test.each([
    ['instead of inserts', 'create rule r as on insert to public.copies do instead nothing'],
    [
      'beside updates',
      'create table public.history (id int); create rule r as on update to public.items do also insert into public.history values (new.id)',
    ],
    [
      'instead of deletes of rows that go back',
      'create rule r as on delete to public.copies do instead nothing',
    ],
  ])('%s: preflight refuses them, with the statement that fixes it', async (_, statement) => {
    const db = await items(statement);
    const { problems } = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(problems).toMatchObject([
      {
        severity: 'error',
        kind: 'rule',
        object: expect.stringMatching(/^rule r on public\.(items|copies)$/),
      },
    ]);
    await db.sql.unsafe(/alter table \S+ disable rule r;/.exec(problems[0].hint)?.[0] ?? '');
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('a server that counts no rows: preflight warns', async () => {
    const db = await items();
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    await admin`set track_counts = off`;
    const { problems } = await call(admin, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(problems).toMatchObject([{ severity: 'warning', object: 'track_counts' }]);
  });

  test('one that comes later, and makes statements fail, is named in the failures', async () => {
    const db = await itemsOf('migrated');
    await db.sql`create table public.history (id int)`;
    await db.sql`create rule r as on update to public.items do also insert into public.history values (new.id)`;
    await back(db);
    expect(await db.sql`select distinct sqlstate, raised_by from imago.failure`).toMatchObject([
      { sqlstate: '0A000', raised_by: 'rule r on public.items' },
    ]);
    await db.sql`drop rule r on public.items`;
    await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
    await back(db);
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(unmoved);
  });
});

describe('triggers of the app that move columns which the plan does not declare', () => {
  const setting = (name: string, body: string) => `
    create function public.${name}() returns trigger language plpgsql as $$ begin ${body} return new; end $$;`;
  const versioned = `${setting('f', 'new.version := old.version + 1;')} create trigger f before update on public.items for each row execute function public.f();`;
  const kinds: Record<string, string> = {
    'each of its values, in rows of its own': [
      'version := old.version + 1',
      'etag := gen_random_uuid()',
      'edited := current_date',
      'amount := new.amount * 1.5',
      `tags := array_append(new.tags, 'x, "y"')`,
      `payload := '{"b": 1,  "a": null}'`,
      'payload := null; new.tags := null',
    ]
      .map(
        (change, i) =>
          `${setting(`f${i}`, `new.${change};`)} create trigger f${i} before update on public.items for each row when (old.id % 7 = ${i}) execute function public.f${i}();`,
      )
      .join('\n'),
    updated_at: `${setting('f', 'new.updated_at := clock_timestamp();')} create trigger f before update on public.items for each row execute function public.f();`,
    'all columns at once': `${setting('f', `new.version := 7; new.etag := 'e'; new.amount := 0; new.tags := '{}'; new.payload := null; new.edited := null; new.updated_at := now();`)} create trigger f before update on public.items for each row execute function public.f();`,
    'only when the label changes': `${setting('f', 'new.version := old.version + 1;')} create trigger f before update of label on public.items for each row when (old.label is distinct from new.label) execute function public.f();`,
    'a trigger whose name comes last': `${setting('f', 'new.updated_at := now(); new.version := old.version + 1;')} create trigger "~zzz" before update on public.items for each row execute function public.f();`,
    'a trigger whose name begins with another letter': `${setting('f', 'new.updated_at := now(); new.version := old.version + 1;')} create trigger "ÿ" before update on public.items for each row execute function public.f();`,
    'a trigger whose name begins with a picture': `${setting('f', 'new.updated_at := now();')} create trigger "😀 last" before update on public.items for each row execute function public.f();`,
    'a trigger whose name comes first': `${setting('f', 'new.version := new.version + 1;')} create trigger " first" before update on public.items for each row execute function public.f();`,
    'two triggers one after the other': `${setting('f', 'new.version := new.version + 1;')} create trigger f before update on public.items for each row execute function public.f(); create trigger g before update on public.items for each row execute function public.f();`,
    'an update of its own afterwards': `
      create function public.f() returns trigger language plpgsql as $$ begin
        update public.items set version = version + 1 where id = new.id; return null; end $$;
      create trigger f after update of label on public.items for each row execute function public.f();`,
    'an update of all rows of the statement': `
      create function public.f() returns trigger language plpgsql as $$ begin
        if pg_trigger_depth() = 1 then update public.items i set version = i.version + 1 from written w where w.id = i.id; end if; return null; end $$;
      create trigger f after update on public.items referencing new table as written for each statement execute function public.f();`,
    'a counter kept by another table': `
      create function public.f() returns trigger language plpgsql as $$ begin
        update public.items set copies = copies + 1 where id = new.item; return null; end $$;
      create function public.g() returns trigger language plpgsql as $$ begin
        update public.items set copies = copies - 1 where id = old.item; return null; end $$;
      create trigger f after insert on public.copies for each row execute function public.f();
      create trigger g after delete on public.copies for each row execute function public.g();`,
    'a counter that only grows': `
      create function public.f() returns trigger language plpgsql as $$ begin
        update public.items set copies = copies + 1 where id = new.item; return null; end $$;
      create trigger f after insert on public.copies for each row execute function public.f();`,
    'a deferred trigger': `
      create function public.f() returns trigger language plpgsql as $$ begin
        update public.items set version = version + 1 where id = new.item; return null; end $$;
      create constraint trigger f after insert on public.copies deferrable initially deferred for each row execute function public.f();`,
    'a counter of what goes': `
      create function public.f() returns trigger language plpgsql as $$ begin
        update public.items set copies = copies + 1 where id = old.item; return null; end $$;
      create trigger f after delete on public.copies for each row execute function public.f();`,
    'a deferred one': `
      create function public.f() returns trigger language plpgsql as $$ begin
        update public.items set version = version + 1 where id = old.item; return null; end $$;
      create constraint trigger f after delete on public.copies deferrable initially deferred for each row execute function public.f();`,
    'one that touches other rows when one goes back': `
      create function public.f() returns trigger language plpgsql as $$ begin
        if new.label is null then
          update public.items set version = version + 1, label = label || '!' where id = new.id % 7 + 1 and label is not null;
        end if;
        return null; end $$;
      create trigger f after update of label on public.items for each row execute function public.f();`,
    'a counter in the rows of other entities': `
      create function public.f() returns trigger language plpgsql as $$ begin
        update public.items set copies = copies + 1 where id = new.item * 7 % 40 / 8 + 1; return null; end $$;
      create function public.g() returns trigger language plpgsql as $$ begin
        update public.items set copies = copies - 1 where id = old.item * 7 % 40 / 8 + 1; return null; end $$;
      create trigger f after insert on public.copies for each row execute function public.f();
      create trigger g after delete on public.copies for each row execute function public.g();`,
  };
  for (const [what, statement] of Object.entries(kinds)) {
    test(`${what}: after forward and back every column of every row is as it was`, async () => {
      const db = await items(statement);
      await smallBatches(db);
      const original = await contents(db.sql, ['public.items', 'public.copies']);
      expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
      expect(
        await value(db.sql, `select count(*)::int from public.items where updated_at <> '2020-01-01'`),
      ).toBe(0);
      expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
      expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
    });
  }

  test('a trigger that comes in the middle of the run: all is as it was, and again after a second run', async () => {
    const db = await itemsOf('prepared');
    const original = await contents(db.sql, ['public.items', 'public.copies']);
    while (Number(await moved(db)) < ROWS / 3)
      await call(db.sql, 'migrate_batch', { plan: PLAN, max_ms: 1, batch_size: 5 });
    await db.sql.unsafe(versioned);
    await migrate(db);
    await back(db);
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
    await migrate(db);
    await back(db);
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
  });

  test('one of updated_at that comes, or is enabled, in the middle of the run leaves it as it was all the same', async () => {
    const db = await items(`${kinds.updated_at} alter table public.items disable trigger f`);
    await prepareAll(db.sql, PLAN);
    await call(db.sql, 'migrate_batch', { plan: PLAN, max_ms: 1, batch_size: 5 });
    await db.sql`alter table public.items enable trigger f`;
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(
      await value(db.sql, `select count(*)::int from public.items where updated_at <> '2020-01-01'`),
    ).toBe(0);
  });

  test.each(['note', 'keep'])(
    'our trigger %s disabled: rows that would not be as they were stay, and go back once it is enabled',
    async (kind) => {
      const db = await items(versioned);
      const original = await contents(db.sql, ['public.items', 'public.copies']);
      await migrate(db);
      const name = await value(
        db.sql,
        `select quote_ident(tgname) from pg_trigger where tgrelid = 'public.items'::regclass and tgname like '%${kind}'`,
      );
      await db.sql.unsafe(`alter table public.items disable trigger ${name}`);
      expect((await back(db)).at(-1)).toMatchObject({ state: 'failed' });
      expect(await db.sql`select distinct sqlstate, table_name from imago.failure`).toMatchObject([
        { sqlstate: 'IM061', table_name: 'public.items' },
      ]);
      await db.sql.unsafe(`alter table public.items enable trigger ${name}`);
      await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
      expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded' });
      expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
    },
  );

  test('those that only a partition has: the same, and preflight names column and guard', async () => {
    const db = await freshDatabase({});
    databases.push(db);
    await db.sql.unsafe(`
      create table public.items (
        id int primary key, label text, version int not null default 1, updated_at timestamptz not null default '2020-01-01') partition by range (id);
      create table public.few partition of public.items for values from (0) to (20);
      create table public.many partition of public.items for values from (20) to (100);
      create table public.copies (item int primary key, label text);
      insert into public.items (id) select i from generate_series(1, ${ROWS}) i;
      ${setting('f', 'new.updated_at := clock_timestamp();')} create trigger f before update on public.many for each row execute function public.f();
      ${setting('g', `new.version := old.version + 1; if new.id < 0 then raise exception 'no'; end if;`)} create trigger g before update on public.few for each row execute function public.g();`);
    await createPlan(db.sql, plan);
    const original = await contents(db.sql, ['public.items']);
    const { notices, problems } = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(notices).toContainEqual(
      expect.objectContaining({ kind: 'side_effect', object: 'public.items.version' }),
    );
    expect(problems).toContainEqual(
      expect.objectContaining({ kind: 'guard_trigger', object: 'trigger g on public.few' }),
    );
    expect((await call(db.sql, 'dry_run_migration', { plan: PLAN })).error).toBeNull();
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(
      await value(db.sql, `select count(*)::int from public.items where updated_at <> '2020-01-01'`),
    ).toBe(0);
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await contents(db.sql, ['public.items'])).toEqual(original);
  });

  test('any of them: preflight and validate name the columns beforehand', async () => {
    const db = await items(`${kinds['all columns at once']}`);
    const { notices } = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    const moved = ['amount', 'edited', 'etag', 'payload', 'tags', 'version'].map((name) => `items.${name}`);
    expect(
      notices
        .filter(({ kind }: { kind: string }) => kind === 'side_effect')
        .map(({ object }: { object: string }) => object.replace('public.', '')),
    ).toEqual(moved);
    const { checks } = await call(db.sql, 'validate_migration', { plan: PLAN, detailed: true });
    const { facts } = checks.find(({ name }: { name: string }) => name === 'app_triggers');
    expect(facts.moved_columns.map((name: string) => name.replace('public.', ''))).toEqual(moved);
  });

  test('with a column that the app has written since: it keeps what the app wrote', async () => {
    const db = await items(
      `${setting('f', 'new.etag := gen_random_uuid();')} create trigger f before update on public.items for each row execute function public.f();`,
    );
    await migrate(db);
    await db.sql`alter table public.items disable trigger f`;
    await db.sql`update public.items set etag = 'mine' where id = 5`;
    await db.sql`alter table public.items enable trigger f`;
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await value(db.sql, `select count(*)::int from public.items where etag = 'one'`)).toBe(ROWS - 1);
  });
});
