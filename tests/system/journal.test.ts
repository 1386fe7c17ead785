import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import {
  back,
  changePlan,
  contents,
  createPlan,
  expectOneRowEach,
  forward,
  journal,
  PLAN,
} from '../support/plan.ts';
import { expectNoTraces, journalRows } from '../support/state.ts';
import { stopSync } from '../support/sync.ts';

const databases: TestDatabase[] = [];

async function database(
  app: 'none' | 'sample' = 'none',
  users = 0,
  avatars?: 'prepared' | 'migrated',
): Promise<TestDatabase> {
  const db = await freshDatabase({ app, users, ...(avatars && { avatars }) });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Ten items, to be moved from stage to stage; number six has been beyond the first for long. */
const ITEMS = `
  create table public.items (
    id int primary key, stage int, label text, note text, updated_at timestamptz not null default '2020-01-01');
  insert into public.items select i, nullif(i % 3, 0), 'item ' || i, null from generate_series(1, 10) i;`;

const items = { table: 'items', key: 'id', keyType: 'integer' } as const;

describe('a row that is written more than once', () => {
  test('in one batch has one journal row, from its first to its last value', async () => {
    const { sql } = await database();
    await sql.unsafe(ITEMS);
    await createPlan(sql, {
      ...items,
      pending: `s.label not like 'moved%'`,
      apply: `
        update public.items set stage = 100 where id = any (keys);
        update public.items set stage = 200, label = 'moved ' || label where id = any (keys);
        update public.items set stage = 100 where id = any (keys) and id % 2 = 0;
        update public.items set note = 'a' where id = any (keys);
        update public.items set note = null where id = any (keys);`,
      writes: [{ relation: 'public.items', entity: 'id', columns: ['stage', 'label', 'note'] }],
    });
    const original = await contents(sql, ['public.items']);
    await forward(sql);
    const rows = await journal(sql, 'public.items');
    expect(rows).toHaveLength(10);
    expect(rows.find((row) => row.key_1 === 4)).toMatchObject({
      before_1: 1,
      after_1: 100,
      before_2: 'item 4',
      after_2: 'moved item 4',
      before_3: null,
      after_3: null,
    });
    await back(sql);
    expect(await contents(sql, ['public.items'])).toEqual(original);
  });

  test('and ends as it began is not journaled', async () => {
    const { sql } = await database();
    await sql.unsafe(`${ITEMS} create table public.moved (id int primary key);`);
    await createPlan(sql, {
      ...items,
      pending: 'not exists (select from public.moved m where m.id = s.id)',
      apply: `
        update public.items set stage = 5 where id = any (keys) and id <> 1;
        update public.items set stage = nullif(id % 3, 0) where id = any (keys);
        insert into public.moved select unnest(keys);`,
      writes: [
        { relation: 'public.items', entity: 'id', columns: ['stage'] },
        { relation: 'public.moved', entity: 'id', inserts: true },
      ],
    });
    await forward(sql);
    expect(await journal(sql, 'public.items')).toEqual([]);
    expect(await journal(sql, 'public.moved')).toHaveLength(10);
    await back(sql);
    expect(await value(sql, 'select count(*)::int from public.moved')).toBe(0);
  });

  test('in two batches goes back to what it was before the first', async () => {
    const { sql } = await database();
    await sql.unsafe(`${ITEMS}
      create table public.copies (id int primary key, item int references public.items, label text, version int);`);
    await createPlan(sql, {
      ...items,
      pending: 's.stage is distinct from 10 and s.stage is distinct from 20',
      apply: `
        update public.items set stage = 10 where id = any (keys);
        insert into public.copies select id + 1000, id, label, 1 from public.items where id = any (keys);`,
      writes: [
        { relation: 'public.items', entity: 'id', columns: ['stage'] },
        { relation: 'public.copies', entity: 'item', inserts: true, columns: ['label', 'version'] },
      ],
    });
    const original = await contents(sql, ['public.items', 'public.copies']);
    await forward(sql);
    await changePlan(sql, {
      ...items,
      pending: 's.stage = 10',
      apply: `
        update public.items set stage = 20 where id = any (keys);
        update public.copies set version = 2, label = upper(label) where item = any (keys);`,
    });
    await forward(sql, 4);
    expect(await journal(sql, 'public.items')).toHaveLength(20);
    expect(await value(sql, 'select min(version) from public.copies')).toBe(2);
    // Only what the app does after the last batch is an edit.
    await sql`update public.copies set label = 'edited' where id = 1003`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ conflicts: 1 });
    expect([...(await sql`select id, stage from public.items where stage in (10, 20)`)]).toEqual([
      { id: 3, stage: 20 },
    ]);
    await rollbackAll(sql, { plan: PLAN, force: true });
    expect(await contents(sql, ['public.items', 'public.copies'])).toEqual(original);
  });

  test.each([
    [
      'a row',
      `create function public.shout() returns trigger language plpgsql as $$
         begin update public.items set label = upper(label) where id = new.id and label <> upper(label); return null; end $$;
       create trigger shout after update on public.items for each row execute function public.shout();
       create function public.shout_copy() returns trigger language plpgsql as $$
         begin update public.copies set label = upper(label) where id = new.id and label <> upper(label); return null; end $$;
       create trigger shout after insert on public.copies for each row execute function public.shout_copy();`,
    ],
    [
      'a statement',
      `create function public.shout() returns trigger language plpgsql as $$
         begin
           if exists (select from changed where label <> upper(label)) then
             update public.items i set label = upper(i.label) from changed c where c.id = i.id;
           end if;
           return null;
         end $$;
       create trigger shout after update on public.items referencing new table as changed for each statement execute function public.shout();
       create function public.shout_copy() returns trigger language plpgsql as $$
         begin update public.copies i set label = upper(i.label) from changed c where c.id = i.id; return null; end $$;
       create trigger shout after insert on public.copies referencing new table as changed for each statement execute function public.shout_copy();`,
    ],
    [
      'a row at the end of the transaction',
      `create function public.shout() returns trigger language plpgsql as $$
         begin update public.items set label = upper(label) where id = new.id and label <> upper(label); return null; end $$;
       create constraint trigger shout after update on public.items deferrable initially deferred for each row execute function public.shout();
       create function public.shout_copy() returns trigger language plpgsql as $$
         begin update public.copies set label = upper(label) where id = new.id and label <> upper(label); return null; end $$;
       create constraint trigger shout after insert on public.copies deferrable initially deferred for each row execute function public.shout_copy();`,
    ],
  ])('by an AFTER trigger of the app for %s goes back all the same', async (_, triggers) => {
    const { sql } = await database();
    await sql.unsafe(`${ITEMS}
      create table public.copies (id int primary key, item int references public.items, label text);`);
    await createPlan(sql, {
      ...items,
      pending: 's.stage is distinct from 10',
      apply: `
        update public.items set stage = 10, label = 'now ' || id where id = any (keys);
        insert into public.copies select id + 1000, id, label from public.items where id = any (keys);`,
      writes: [
        { relation: 'public.items', entity: 'id', columns: ['stage', 'label'] },
        { relation: 'public.copies', entity: 'item', inserts: true },
      ],
    });
    await sql.unsafe(triggers);
    const original = await contents(sql, ['public.items', 'public.copies']);
    await forward(sql, 4);
    expect(await value(sql, `select count(*)::int from public.items where label like 'NOW %'`)).toBe(10);
    expect(await value(sql, `select count(*)::int from public.copies where label like 'NOW %'`)).toBe(10);
    expect(await journal(sql, 'public.items')).toHaveLength(10);
    expect((await journal(sql, 'public.items'))[0]).toMatchObject({ before_2: 'item 1', after_2: 'NOW 1' });
    await sql.unsafe('drop function public.shout() cascade; drop function public.shout_copy() cascade');
    await back(sql);
    expect(await contents(sql, ['public.items', 'public.copies'])).toEqual(original);
  });

  test('by a trigger, on behalf of an entity of another batch, goes back to what it was', async () => {
    const { sql } = await database();
    await sql.unsafe(`${ITEMS}
      create function public.count_up() returns trigger language plpgsql as $$
      begin
        if new.id <> 10 then update public.items set note = coalesce(note, '') || '.' where id = 10; end if;
        return null;
      end $$;
      create trigger count_up after update of stage on public.items for each row execute function public.count_up();`);
    await createPlan(sql, {
      ...items,
      pending: 's.stage is distinct from 10',
      apply: 'update public.items set stage = 10 where id = any (keys);',
      writes: [{ relation: 'public.items', entity: 'id', columns: ['stage', 'note'] }],
    });
    const original = await contents(sql, ['public.items']);
    await forward(sql, 4);
    expect(await value(sql, 'select note from public.items where id = 10')).toBe('.........');
    await sql`drop trigger count_up on public.items`;
    await back(sql);
    expect(await contents(sql, ['public.items'])).toEqual(original);
  });
});

test('a plan that inserts on conflict do update: rows of the app are restored, new ones removed', async () => {
  const { sql } = await database();
  await sql.unsafe(`${ITEMS}
    create table public.profiles (item int primary key, label text, extra text default 'none');
    insert into public.profiles select i, 'own ' || i, 'mine' from generate_series(1, 10, 2) i;`);
  await createPlan(sql, {
    ...items,
    pending: 'not exists (select from public.profiles p where p.item = s.id and p.label = s.label)',
    apply: `
      insert into public.profiles (item, label) select id, label from public.items where id = any (keys)
      on conflict (item) do update set label = excluded.label;`,
    writes: [{ relation: 'public.profiles', entity: 'item', inserts: true, columns: ['label'] }],
  });
  const original = await contents(sql, ['public.profiles']);
  await forward(sql, 4);
  const rows = await journal(sql, 'public.profiles');
  expect(rows.filter((row) => row.op === 'i')).toHaveLength(5);
  expect(rows.filter((row) => row.op === 'u')).toHaveLength(5);
  // Once more, over rows of the app and rows of ours alike.
  await sql`update public.items set label = 'again ' || id`;
  await forward(sql, 3);
  await back(sql);
  expect(await contents(sql, ['public.profiles'])).toEqual(original);
});

test('a rollback over several relations: what refers goes before what is referred to', async () => {
  const { sql } = await database();
  await sql.unsafe(`${ITEMS}
    create table public.folders (id int primary key, item int not null, parent int references public.folders on delete cascade);
    create table public.papers (id int primary key, item int not null, folder int not null references public.folders on delete cascade);`);
  await createPlan(sql, {
    ...items,
    pending: 'not exists (select from public.folders f where f.item = s.id)',
    apply: `
      insert into public.folders select k, k, null from unnest(keys) k;
      insert into public.folders select 100 + k, k, k from unnest(keys) k;
      insert into public.papers select k, k, 100 + k from unnest(keys) k;`,
    writes: [
      { relation: 'public.folders', entity: 'item', inserts: true },
      { relation: 'public.papers', entity: 'item', inserts: true },
    ],
  });
  await forward(sql);
  await sql`insert into public.papers values (500, 5, 5)`;
  expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 1 });
  expect([...(await sql`select entity, table_name, row_key, reason from imago.failure`)]).toEqual([
    { entity: '5', table_name: 'public.folders', row_key: '5', reason: 'referenced by public.papers' },
  ]);
  expect(await contents(sql, ['public.folders', 'public.papers'])).toEqual({
    'public.folders': ['(105,5,5)', '(5,5,)'],
    'public.papers': ['(5,5,105)', '(500,5,5)'],
  });
  await sql`delete from public.papers where id = 500`;
  await back(sql);
  expect(await contents(sql, ['public.folders', 'public.papers'])).toEqual({
    'public.folders': [],
    'public.papers': [],
  });
});

describe('deferred constraints of the app', () => {
  test('that hold at the end of a batch do not stand in its way', async () => {
    const { sql } = await database();
    await sql.unsafe(`${ITEMS}
      create table public.parents (id int primary key, item int);
      create table public.children (id int primary key, item int,
        parent int references public.parents deferrable initially deferred,
        place int unique deferrable initially immediate);
      insert into public.children values (1000, null, null, 1), (1001, null, null, 2);`);
    await createPlan(sql, {
      ...items,
      pending: 'not exists (select from public.parents p where p.item = s.id)',
      apply: `
        insert into public.children select k, k, k, 100 + k from unnest(keys) k;
        insert into public.parents select k, k from unnest(keys) k;
        update public.children set place = 3 - place where id >= 1000;`,
      writes: [
        { relation: 'public.parents', entity: 'item', inserts: true },
        { relation: 'public.children', entity: 'item', inserts: true },
      ],
    });
    const before = await contents(sql, ['public.parents', 'public.children']);
    await migrateAll(sql, { plan: PLAN, batch_size: 5 });
    expect(await value(sql, 'select count(*)::int from public.parents')).toBe(10);
    await back(sql);
    expect(await contents(sql, ['public.parents', 'public.children'])).toEqual(before);
  });

  test('that fail are the failure of one entity, not of the commit', async () => {
    const { sql } = await database();
    await sql.unsafe(`${ITEMS}
      create table public.parents (id int primary key);
      insert into public.parents select i from generate_series(1, 10) i where i <> 4;
      alter table public.items add parent int references public.parents deferrable initially deferred;
      create function public.refuse() returns trigger language plpgsql as $$
        begin if new.id = 7 then raise exception using errcode = 'P0007'; end if; return null; end $$;
      create constraint trigger refuse after update on public.items deferrable initially deferred
        for each row execute function public.refuse();`);
    await createPlan(sql, {
      ...items,
      pending: 's.parent is null',
      apply: 'update public.items set parent = id where id = any (keys);',
      writes: [{ relation: 'public.items', entity: 'id', columns: ['parent'] }],
    });
    const original = await contents(sql, ['public.items']);
    expect((await migrateAll(sql, { plan: PLAN, batch_size: 10 })).at(-1)).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 2,
    });
    expect([
      ...(await sql`select entity, kind, sqlstate, constraint_name from imago.failure order by entity`),
    ]).toEqual([
      { entity: '4', kind: 'failed', sqlstate: '23503', constraint_name: 'items_parent_fkey' },
      { entity: '7', kind: 'failed', sqlstate: 'P0007', constraint_name: null },
    ]);
    expect(await value(sql, 'select count(*)::int from public.items where parent is not null')).toBe(8);
    await back(sql);
    expect(await contents(sql, ['public.items'])).toEqual(original);
  });

  test('that refuse the way back keep an entity where it is', async () => {
    const { sql } = await database();
    await sql.unsafe(ITEMS);
    await createPlan(sql, {
      ...items,
      pending: 's.stage is distinct from 10',
      apply: 'update public.items set stage = 10 where id = any (keys);',
      writes: [{ relation: 'public.items', entity: 'id', columns: ['stage'] }],
    });
    const original = await contents(sql, ['public.items']);
    await forward(sql);
    await sql.unsafe(`
      create function public.refuse() returns trigger language plpgsql as $$
        begin if new.id = 7 then raise exception using errcode = 'P0007'; end if; return null; end $$;
      create constraint trigger refuse after update on public.items deferrable initially deferred
        for each row execute function public.refuse();`);
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 1,
    });
    expect([...(await sql`select id, stage from public.items where stage = 10`)]).toEqual([
      { id: 7, stage: 10 },
    ]);
    await sql`drop trigger refuse on public.items`;
    await back(sql);
    expect(await contents(sql, ['public.items'])).toEqual(original);
  });
});

test('where rows of a batch are many, no capture function compares them by a plan that was made for few', async () => {
  const { sql } = await database();
  await sql.unsafe(ITEMS);
  await createPlan(sql, {
    ...items,
    pending: 's.note is null',
    apply: `update public.items set note = 'a' where id = any (keys);`,
    writes: [{ relation: 'public.items', entity: 'id', columns: ['note'] }],
  });
  await forward(sql);
  const body = await value<string>(
    sql,
    `select prosrc from pg_proc where oid = 'imago_undo.${PLAN}_public_items_update()'::regprocedure`,
  );
  // Without what is asked of few rows only, and what is planned again each time.
  const kept = body.replaceAll(
    /if imago_rows <= 100 then[\s\S]*?else execute '(?:[^']|'')*'[^;]*; end if;/g,
    '',
  );
  expect(kept.length).toBeLessThan(body.length);
  expect(kept).not.toMatch(
    /(insert into imago_undo|update imago_undo|if exists|select exists)[^;]* (old|new)_rows/,
  );
});

describe('partitioned tables', () => {
  const SCHEMA = `
    create table public.accounts (id int primary key, plan text, updated_at timestamptz not null default '2020-01-01') partition by hash (id);
    create table public.accounts_0 partition of public.accounts for values with (modulus 2, remainder 0);
    create table public.accounts_1 partition of public.accounts for values with (modulus 2, remainder 1);
    create table public.bills (account int, at date, amount numeric, note text, primary key (account, at)) partition by range (at);
    create table public.bills_2025 partition of public.bills for values from ('2025-01-01') to ('2026-01-01');
    create table public.bills_2026 partition of public.bills for values from ('2026-01-01') to ('2027-01-01');
    create function public.touch() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
    create trigger touch before update on public.accounts for each row execute function public.touch();
    insert into public.accounts select i, 'old' from generate_series(1, 20) i;
    insert into public.bills select i, '2025-05-05', i, 'old' from generate_series(1, 20) i;`;

  async function partitioned() {
    const { sql, connect } = await database();
    await sql.unsafe(SCHEMA);
    await createPlan(sql, {
      table: 'accounts',
      key: 'id',
      keyType: 'integer',
      pending: `s.plan = 'old'`,
      apply: `
        update public.accounts set plan = 'new' where id = any (keys);
        update public.bills set note = 'closed' where account = any (keys);
        insert into public.bills select k, '2026-06-06', 0, 'new' from unnest(keys) k;`,
      writes: [
        { relation: 'public.accounts', entity: 'id', columns: ['plan'] },
        { relation: 'public.bills', entity: 'account', inserts: true, columns: ['note'] },
      ],
    });
    return { sql, connect };
  }
  const tables = ['public.accounts', 'public.bills'];

  test('are written, journaled and taken back through their parent', async () => {
    const { sql } = await partitioned();
    const original = await contents(sql, tables);
    await forward(sql, 6);
    expect(await value(sql, 'select count(*)::int from public.bills_2026')).toBe(20);
    expect(
      await value(sql, `select count(*)::int from public.accounts where updated_at <> '2020-01-01'`),
    ).toBe(0);
    await back(sql);
    expect(await contents(sql, tables)).toEqual(original);
  });

  test('keep rows to which something refers, through the parent or straight to a partition', async () => {
    const { sql } = await partitioned();
    await forward(sql, 6);
    await sql.unsafe(`
      create table public.reminders (account int, at date, foreign key (account, at) references public.bills on delete cascade);
      create table public.scans (account int, at date, foreign key (account, at) references public.bills_2026 on delete cascade);
      insert into public.reminders values (3, '2026-06-06');
      insert into public.scans values (4, '2026-06-06');
      insert into public.scans values (5, null);`);
    expect((await rollbackAll(sql, { plan: PLAN, force: true })).at(-1)).toMatchObject({ conflicts: 2 });
    expect([...(await sql`select entity, row_key, reason from imago.failure order by entity`)]).toEqual([
      { entity: '3', row_key: '3,2026-06-06', reason: 'referenced by public.reminders' },
      { entity: '4', row_key: '4,2026-06-06', reason: 'referenced by public.scans' },
    ]);
    expect(await value(sql, 'select count(*)::int from public.bills_2026')).toBe(2);
    expect(await value(sql, 'select count(*)::int from public.scans')).toBe(2);
  });

  test('are journaled where a batch, or a trigger of the app in it, writes straight to a partition', async () => {
    const { sql } = await partitioned();
    await sql.unsafe(`
      create or replace function trial.apply(keys integer[]) returns void language sql as $$
        update public.accounts set plan = 'new' where id = any (keys);
        update public.bills_2025 set note = 'closed' where account = any (keys);
        insert into public.bills_2026 select k, '2026-06-06', 0, 'new' from unnest(keys) k;
      $$;
      create function public.follow() returns trigger language plpgsql as $$
      begin
        update public.bills_2025 set note = note || ', really' where account = new.id;
        return null;
      end $$;
      create trigger follow after update on public.accounts for each row when (new.plan = 'new') execute function public.follow();`);
    const original = await contents(sql, tables);
    await forward(sql, 6);
    expect(await value(sql, `select count(*)::int from public.bills where note = 'new'`)).toBe(20);
    await expectOneRowEach(sql);
    await back(sql);
    expect(await contents(sql, tables)).toEqual(original);
    await expectNoTraces(sql, PLAN);
  });

  test('lose our triggers with the rest, also those that were detached since', async () => {
    const { sql } = await partitioned();
    await forward(sql, 6);
    await sql.unsafe(`
      alter table public.bills detach partition public.bills_2025;
      create table public.bills_2027 partition of public.bills for values from ('2027-01-01') to ('2028-01-01');`);
    const { triggers } = await call(sql, 'inspect_installation');
    const unsound = (state: string) =>
      new Set(triggers.filter((t: Answer) => t.state === state).map((t: Answer) => t.relation));
    expect(unsound('orphaned')).toEqual(new Set(['public.bills_2025']));
    expect(unsound('missing')).toEqual(new Set(['public.bills_2027']));
    await back(sql);
    await expectNoTraces(sql, PLAN);
  });

  test('do not believe a forged batch, not even straight in a partition', async () => {
    const { sql, connect } = await partitioned();
    await forward(sql, 6);
    const rows = [await journal(sql, 'public.accounts'), await journal(sql, 'public.bills')];
    const batch = await value<string>(sql, 'select max(id)::text from imago.batch');
    const one = connect();
    await one.unsafe(`set imago.batch = '${batch}'`);
    await one`update public.accounts set plan = 'mine' where id = 1`;
    await one.unsafe(
      `update public.accounts_${await value(sql, `select right(tableoid::regclass::text, 1) from public.accounts where id = 2`)} set plan = 'mine' where id = 2`,
    );
    expect(
      await value(
        sql,
        `select count(*)::int from public.accounts where id in (1, 2) and updated_at > '2021-01-01'`,
      ),
    ).toBe(2);
    expect([await journal(sql, 'public.accounts'), await journal(sql, 'public.bills')]).toEqual(rows);
  });
});

describe('a forged imago.batch', () => {
  test.each(['postgres', 'service_role', 'authenticated'] as const)('is not believed: %s', async (role) => {
    const { sql, connect } = await database('sample', 30, 'migrated');
    // What sync journals for the app's writes is its own, whatever the app has set.
    await stopSync(sql);
    const author = await value<string>(
      sql,
      'select user_id from public.posts group by user_id order by count(*) desc, 1 limit 1',
    );
    const before = await journalRows(sql);
    const batch = await value<string>(sql, 'select max(id)::text from imago.batch');
    const one = connect({ role });
    await one`select set_config('request.jwt.claims', ${JSON.stringify({ sub: author, role })}, false)`;

    for (const forged of [batch, '1', '999999', '99999999999999999999', '-1', 'abc', "' or true --", ' ']) {
      await sql`update public.posts set updated_at = '2020-01-01', body = 'before' where user_id = ${author}`;
      await sql`alter table public.posts disable trigger set_updated_at`;
      await sql`update public.posts set updated_at = '2020-01-01' where user_id = ${author}`;
      await sql`alter table public.posts enable trigger set_updated_at`;
      await one`select set_config('imago.batch', ${forged}, false)`;
      const changed =
        await one`update public.posts set body = 'forged', avatar_id = null where user_id = ${author}`;
      expect(changed.count).toBeGreaterThan(0);
      const [moved] = await sql<{ old: number }[]>`
        select count(*)::int as old from public.posts where user_id = ${author} and updated_at < '2021-01-01'`;
      expect({ forged, old: moved?.old }).toEqual({ forged, old: 0 });
      await one`insert into public.posts (user_id, body) values (${author}, 'new')`;
      // Its writes are for nobody but the server, unless the app opens them.
      if (role === 'service_role') {
        await one`insert into public.avatars (owner_user_id, name) values (${author}, 'second')`;
      }
      await one`update public.users set active_avatar_id = null, bio = 'forged' where id = ${author}`;
      expect(await journalRows(sql)).toEqual(before);
    }
  });

  test('is not believed after a batch of the same transaction either', async () => {
    const { sql, connect } = await database('sample', 30, 'prepared');
    const author = await value<string>(
      sql,
      'select user_id from public.posts group by user_id order by count(*) desc, 1 limit 1',
    );
    const one = connect();
    await one`begin`;
    await call(one, 'migrate_user_to_avatar_centric', { user_id: author });
    const before = await journalRows(one);
    await one`select set_config('imago.batch', (select max(id)::text from imago.batch), false)`;
    const [second] = await one<{ id: string }[]>`
      insert into public.avatars (owner_user_id, name) values (${author}, 'second') returning id`;
    await one`update public.posts set avatar_id = ${second?.id ?? ''} where user_id = ${author}`;
    expect(await journalRows(one)).toEqual(before);
    expect(
      await value(one, `select count(*)::int from public.posts where user_id = $1 and updated_at = now()`, [
        author,
      ]),
    ).toBeGreaterThan(0);
    await one`commit`;
    expect(
      (await call(sql, 'rollback_user_migration', { user_id: author })).conflicts.length,
    ).toBeGreaterThan(0);
  });
});

test('a batch forged by the very statement that writes does not get past a trigger of the app', async () => {
  const { sql } = await database();
  await sql.unsafe(`${ITEMS}
    create function public.keep_label() returns trigger language plpgsql as $$ begin new.label := old.label; return new; end $$;
    create trigger keep_label before update on public.items for each row execute function public.keep_label();
    grant select, update on public.items to authenticated;`);
  await createPlan(sql, {
    ...items,
    pending: 's.stage is null',
    apply: 'update public.items set stage = 9 where id = any (keys);',
    writes: [{ relation: 'public.items', entity: 'id', columns: ['stage'] }],
  });
  await forward(sql);
  const forged = sql.begin(async (tx) => {
    await tx`set local role authenticated`;
    await tx.unsafe(
      `update public.items set label = 'mine', note = set_config('imago.batch', '${PLAN}:1:side', true) where id = 1`,
    );
  });
  expect((await refusal(forged)).code).toBe('42501');
  expect(await value(sql, 'select label from public.items where id = 1')).toBe('item 1');
});

describe('columns like updated_at', () => {
  const TOUCHED = `
    create table public.docs (
      id int primary key, state text not null default 'old', title text,
      updated_at timestamptz not null default '2020-01-01', last_modified_on timestamp not null default '2020-01-01',
      changed_at timestamptz default null, created_at timestamptz not null default '2020-01-01', version int not null default 1);
    insert into public.docs (id) select generate_series(1, 9);
    create function public.touch() returns trigger language plpgsql as $$
    begin new.updated_at := clock_timestamp(); new.last_modified_on := clock_timestamp(); new.changed_at := clock_timestamp(); return new; end $$;
    create trigger zzz_touch before update on public.docs for each row execute function public.touch();`;

  test('keep their value within batches, both ways, and move outside of them', async () => {
    const { sql } = await database();
    await sql.unsafe(TOUCHED);
    await createPlan(sql, {
      table: 'docs',
      key: 'id',
      keyType: 'integer',
      pending: `s.state = 'old'`,
      apply: `update public.docs set state = 'new' where id = any (keys);`,
      writes: [{ relation: 'public.docs', entity: 'id', columns: ['state'] }],
    });
    const original = await contents(sql, ['public.docs']);
    const stamps = () =>
      sql`select id from public.docs
          where updated_at <> '2020-01-01' or last_modified_on <> '2020-01-01' or changed_at is not null order by id`;
    await forward(sql, 4);
    expect([...(await stamps())]).toEqual([]);
    await sql`update public.docs set title = 'edited' where id = 2`;
    expect([...(await stamps())]).toEqual([{ id: 2 }]);
    const kept = await value(sql, 'select updated_at::text from public.docs where id = 2');
    await back(sql);
    expect([...(await stamps())]).toEqual([{ id: 2 }]);
    expect(await value(sql, 'select updated_at::text from public.docs where id = 2')).toBe(kept);
    await sql`alter table public.docs disable trigger user`;
    await sql`update public.docs set title = null, updated_at = '2020-01-01', last_modified_on = '2020-01-01', changed_at = null`;
    expect(await contents(sql, ['public.docs'])).toEqual(original);
  });

  test('that the plan itself declares are written and restored by it', async () => {
    const { sql } = await database();
    await sql.unsafe(TOUCHED);
    await createPlan(sql, {
      table: 'docs',
      key: 'id',
      keyType: 'integer',
      pending: `s.changed_at is null`,
      apply: `update public.docs set changed_at = '2026-01-01' where id = any (keys);`,
      writes: [{ relation: 'public.docs', entity: 'id', columns: ['changed_at'] }],
    });
    await sql`alter table public.docs disable trigger user`;
    const original = await contents(sql, ['public.docs']);
    await forward(sql, 4);
    await back(sql);
    expect(await contents(sql, ['public.docs'])).toEqual(original);
  });
});

test('a rollback leaves a row that the app put in place of one of Imago’s', async () => {
  const { sql } = await database();
  await sql.unsafe(`${ITEMS} create table public.profiles (item int primary key, label text);`);
  await createPlan(sql, {
    ...items,
    pending: 'not exists (select from public.profiles p where p.item = s.id)',
    apply: 'insert into public.profiles select id, label from public.items where id = any (keys);',
    writes: [{ relation: 'public.profiles', entity: 'item', inserts: true }],
  });
  await forward(sql);
  await sql`delete from public.profiles where item in (2, 3)`;
  await sql`insert into public.profiles values (2, 'mine')`;
  expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ conflicts: 1 });
  expect([...(await sql`select * from public.profiles`)]).toEqual([{ item: 2, label: 'mine' }]);
});

test('a rollback that can no longer restore a value leaves its entity where it is', async () => {
  const { sql } = await database();
  await sql.unsafe(`${ITEMS}
    create table public.teams (id int primary key);
    insert into public.teams select generate_series(1, 11);
    alter table public.items add team int references public.teams;
    update public.items set team = id;`);
  await createPlan(sql, {
    ...items,
    pending: 's.team <> 11',
    apply: 'update public.items set team = 11, stage = 11 where id = any (keys);',
    writes: [{ relation: 'public.items', entity: 'id', columns: ['team', 'stage'] }],
  });
  await forward(sql);
  await sql`delete from public.teams where id = 4`;
  expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
    state: 'failed',
    failures_left: 1,
  });
  expect([...(await sql`select entity, kind, sqlstate, constraint_name from imago.failure`)]).toEqual([
    { entity: '4', kind: 'failed', sqlstate: '23503', constraint_name: 'items_team_fkey' },
  ]);
  expect([...(await sql`select id, stage from public.items where team = 11`)]).toEqual([
    { id: 4, stage: 11 },
  ]);
  await sql`insert into public.teams values (4)`;
  await back(sql);
  expect(await value(sql, 'select count(*)::int from public.items where team = id')).toBe(10);
});

test('an entity whose apply raises leaves nothing in the journal', async () => {
  const { sql } = await database();
  await sql.unsafe(`${ITEMS} alter table public.items add check (id <> 5 or stage is distinct from 10);`);
  await createPlan(sql, {
    ...items,
    pending: 's.stage is distinct from 10',
    apply: 'update public.items set stage = 10 where id = any (keys);',
    writes: [{ relation: 'public.items', entity: 'id', columns: ['stage'] }],
  });
  await migrateAll(sql, { plan: PLAN, batch_size: 10 });
  const rows = await journal(sql, 'public.items');
  expect(rows.map((row) => row.entity).sort()).toEqual([1, 10, 2, 3, 4, 6, 7, 8, 9]);
  expect((await refusal(sql`select imago.migrate_entity(${PLAN}, '5')`)).code).toBe('IM023');
  expect(await journal(sql, 'public.items')).toEqual(rows);
  await back(sql);
});
