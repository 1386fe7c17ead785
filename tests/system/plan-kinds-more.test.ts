import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { createPlan } from '../../scripts/plan/create.ts';
import type { KindOptions } from '../../scripts/plan/kinds/kind.ts';
import { readPlan, readProject, wholeText } from '../../scripts/plan/project.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { cleanUpAll, finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { projectFolder } from '../support/project.ts';
import { pidOf, untilBlocked } from '../support/until.ts';

/** Ready-made plans that reach beyond one table: `imago plan new --kind`, beside an app that writes. */

const plan = 'made';

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function app(tables: string): Promise<Sql> {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(tables);
  return db.sql;
}

/** Writes the plan of a kind into a project and runs its migration. */
async function make(
  sql: Sql,
  name: string,
  source: string,
  key: string,
  options: KindOptions,
): Promise<void> {
  const project = readProject(await projectFolder());
  await createPlan(sql, project, { plan, source, key, column: options.column, kind: { name, options } });
  const { sources } = readPlan(project, plan);
  await sql.begin((tx) => tx.unsafe(`set local check_function_bodies = off;\n${wholeText(sources)}`));
}

const refused = async (sql: Sql, ...given: [string, string, string, KindOptions]) =>
  await make(sql, ...given).then(
    () => 'made',
    ({ code }) => code,
  );

const contents = async (sql: Sql, table: string) =>
  await value<string>(sql, `select string_agg(t::text, ',' order by t::text) from ${table} t`);

const sqlstate = async (write: Promise<unknown>) =>
  await write.then(
    () => 'written',
    ({ code }) => code,
  );

const last = async (answers: ReturnType<typeof migrateAll>) => (await answers).at(-1);

describe('fk-add', () => {
  const items = 'public."Items"';
  const tables = `
    create table public."Owners" ("Id" integer primary key, name text);
    insert into public."Owners" select i, 'o' || i from generate_series(0, 9) i;
    create table ${items} (id bigint primary key, "owner's" integer, note text);
    create index on ${items} ("owner's");
    insert into ${items} select i, case when i % 5 > 0 then i end, 'n' || i from generate_series(1, 20) i;`;
  const options = { column: "owner's", references: 'public.Owners ("Id")  ON delete CASCADE' };
  const keys = (sql: Sql) =>
    value<string | null>(
      sql,
      `select string_agg(pg_get_constraintdef(oid), ', ') from pg_constraint where contype = 'f' and conrelid = '${items}'::regclass`,
    );

  test.each([
    ['null', { orphans: 'null' }, null],
    ['a placeholder', { placeholder: '0' }, 0],
  ])('gives %s to rows without a target, and brings their values back', async (_, chosen, instead) => {
    const sql = await app(tables);
    await make(sql, 'fk-add', 'public.Items', 'id', { ...options, ...chosen });
    const before = await contents(sql, items);
    const clause = `FOREIGN KEY ("owner's") REFERENCES "Owners"("Id") ON DELETE CASCADE`;
    for (let round = 0; round < 2; round++) {
      const moved = await migrateAll(sql, { plan });
      expect(moved.at(-1)).toMatchObject({ state: 'succeeded' });
      // Eight rows, and the key.
      expect(moved.reduce((sum, { migrated }) => sum + migrated, 0)).toBe(9);
      expect(
        await value(
          sql,
          `select count(*)::int from ${items} where id in (11, 12, 13, 14, 16, 17, 18, 19) and "owner's" is not distinct from ${instead}`,
        ),
      ).toBe(8);
      expect(await keys(sql)).toBe(`${clause} NOT VALID`);
      expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
      expect(await last(rollbackAll(sql, { plan }))).toMatchObject({ state: 'succeeded', conflicts: 0 });
      expect(await contents(sql, items)).toBe(before);
      expect(await keys(sql)).toBeNull();
    }
    await cleanUpAll(sql, { plan, older_than: '0 s' });

    await migrateAll(sql, { plan });
    await finalizeAll(sql, { plan });
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect(await keys(sql)).toBe(clause);
    await sql.unsafe(`delete from public."Owners" where "Id" = 3`);
    expect(await value(sql, `select count(*)::int from ${items}`)).toBe(19);
    expect(await value(sql, `select to_regclass('${plan}.mended')::text`)).toBeNull();
  });

  test('holds for what the app writes once it is prepared, and goes back half-way', async () => {
    const sql = await app(tables);
    await make(sql, 'fk-add', 'public.Items', 'id', { ...options, orphans: 'null' });
    while ((await call(sql, 'migrate_batch', { plan, batch_size: 2, max_ms: 1 })).migrated === 0);
    expect(await keys(sql)).toBeNull();
    const insert = (id: number, owner: number) =>
      sqlstate(sql.unsafe(`insert into ${items} values (${id}, ${owner})`));
    expect([await insert(30, 77), await insert(30, 7)]).toEqual(['23503', 'written']);
    expect(await sqlstate(sql.unsafe(`update ${items} set "owner's" = 77 where id = 1`))).toBe('23503');
    // A row without a target may be written otherwise.
    await sql.unsafe(`update ${items} set note = 'later', "owner's" = "owner's" where id = 19`);
    await migrateAll(sql, { plan });
    expect([await insert(31, 78), await insert(31, 8)]).toEqual(['23503', 'written']);
    // One row alone has no way back: the key would refuse its value.
    expect((await refusal(call(sql, 'rollback_entity', { plan, entity: '12' }))).message).toContain('23503');
    expect(await value(sql, `select "owner's" from ${items} where id = 12`)).toBeNull();
    await sql.unsafe(`update ${items} set "owner's" = 4 where id = 11`);
    expect(await last(rollbackAll(sql, { plan }))).toMatchObject({ state: 'failed', conflicts: 1 });
    expect(
      await value(
        sql,
        `select string_agg(id || ':' || "owner's", ' ' order by id) from ${items} where id >= 11`,
      ),
    ).toBe('11:4 12:12 13:13 14:14 16:16 17:17 18:18 19:19 30:7 31:8');
    expect(await keys(sql)).toBeNull();
  });

  test('refuses where it is not told what to do, with the keys of the first', async () => {
    const sql = await app(tables);
    await make(sql, 'fk-add', 'public.Items', 'id', options);
    const error = await refusal(call(sql, 'migrate_batch', { plan }));
    expect(error.code).toBe('IM006');
    expect(error.message).toContain('8 rows');
    expect(error.message).toContain('(11, 12, 13');
    const { checks } = await call(sql, 'validate_migration', { plan, detailed: true });
    expect(checks.find(({ name }: { name: string }) => name === 'orphans_before')).toMatchObject({
      found: 8,
    });
    await sql.unsafe(`update ${items} set "owner's" = null where "owner's" > 9`);
    expect(await last(migrateAll(sql, { plan }))).toMatchObject({ state: 'succeeded' });
    expect(await keys(sql)).toContain('NOT VALID');
    await rollbackAll(sql, { plan });
    expect(await keys(sql)).toBeNull();
    await migrateAll(sql, { plan });
    await finalizeAll(sql, { plan });
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
    expect(await keys(sql)).not.toContain('NOT VALID');
  });

  test('refuses a placeholder that is not there, and leaves a key of the app alone', async () => {
    const sql = await app(tables);
    await make(sql, 'fk-add', 'public.Items', 'id', { ...options, placeholder: '500' });
    expect((await refusal(call(sql, 'migrate_batch', { plan }))).message).toContain('placeholder');
    await sql.unsafe(`insert into public."Owners" values (500)`);
    await sql.unsafe(
      `alter table ${items} add constraint "Items_owner's_fkey" foreign key ("owner's") references public."Owners" not valid`,
    );
    await migrateAll(sql, { plan });
    await sql.unsafe(`alter table ${items} drop constraint "Items_owner's_fkey"`);
    await sql.unsafe(
      `alter table ${items} add constraint "Items_owner's_fkey" foreign key ("owner's") references public."Owners" not valid`,
    );
    await rollbackAll(sql, { plan });
    expect(await keys(sql)).toContain('REFERENCES');
  });

  test('takes keys of text with a length, and a target that is the table itself', async () => {
    const sql = await app(`
      create domain public.code as varchar(12);
      create table public.nodes (code varchar(12) primary key, parent public.code);
      create index on public.nodes (parent);
      insert into public.nodes values ('a', null), ('b', 'a'), ('c', 'gone'), ('d', 'd');`);
    await make(sql, 'fk-add', 'public.nodes', 'code', {
      column: 'parent',
      references: 'public.nodes',
      placeholder: 'a',
    });
    const before = await contents(sql, 'public.nodes');
    expect(await last(migrateAll(sql, { plan }))).toMatchObject({ state: 'succeeded' });
    expect(await contents(sql, 'public.nodes')).toBe('(a,),(b,a),(c,a),(d,d)');
    await rollbackAll(sql, { plan });
    expect(await contents(sql, 'public.nodes')).toBe(before);
  });

  test('refuses what can be no foreign key', async () => {
    const sql = await app(`${tables}
      create table public.named (name text primary key, other integer, a integer, b integer, unique (a, b));
      alter table public.named add foreign key (other) references public."Owners";
      create table public.required (id integer primary key, owner integer not null);`);
    const ask = (source: string, key: string, given: KindOptions) =>
      refused(sql, 'fk-add', source, key, given);
    expect(await ask('public.Items', 'id', { ...options, references: 'public.gone' })).toBe('no-table');
    expect(await ask('public.Items', 'id', { ...options, references: 'public.named' })).toBe('bad-value');
    expect(await ask('public.Items', 'id', { ...options, references: 'public.named (a)' })).toBe('bad-value');
    expect(await ask('public.Items', 'id', { ...options, references: 'public.Owners (Id) on fire' })).toBe(
      'bad-value',
    );
    expect(await ask('public.Items', 'id', { ...options, orphans: 'delete' })).toBe('bad-value');
    expect(await ask('public.Items', 'id', { ...options, placeholder: "0'; drop table x" })).toBe(
      'bad-value',
    );
    expect(await ask('public.Items', 'id', { ...options, placeholder: '0', orphans: 'null' })).toBe(
      'bad-value',
    );
    expect(await ask('public.named', 'name', { column: 'other', references: 'public.Owners' })).toBe(
      'bad-value',
    );
    expect(
      await ask('public.required', 'id', { column: 'owner', references: 'public.Owners', orphans: 'null' }),
    ).toBe('bad-value');
    expect(await value(sql, `select to_regnamespace($1) is null`, [plan])).toBe(true);
  });
});

describe('extract-table', () => {
  const users = 'public."Users"';
  const profiles = 'public."User Profiles"';
  const tables = `
    create type public.mood as enum ('glad', 'sad');
    create domain public.short as varchar(20);
    create table ${users} ("Id" integer primary key, "the name" public.short not null default 'no ''one',
      mood public.mood default 'glad', data json, email text);
    alter table ${users} enable row level security;
    create policy own on ${users} for select using ("Id" % 2 = 0);
    grant select on ${users} to anon, authenticated;
    grant all on ${users} to service_role;
    insert into ${users} select i, 'n' || i, case when i % 3 > 0 then 'sad'::public.mood end, '{"b": 1,  "a": 2}', 'e' || i from generate_series(1, 20) i;`;
  const options = { columns: 'the name, mood,data', to: 'public.User Profiles' };
  const differing = (sql: Sql) =>
    value<number>(
      sql,
      `select count(*)::int from ${users} u full join ${profiles} p using ("Id")
       where (u."Id" is null, u."the name", u.mood, u.data::text) is distinct from (p."Id" is null, p."the name", p.mood, p.data::text)`,
    );
  const seenBy = async (sql: Sql, role: string) =>
    await sql
      .begin(async (tx) => {
        await tx.unsafe(`set local role ${role}`);
        return (await tx.unsafe(`select from ${profiles}`)).length;
      })
      .catch(({ code }) => code as string);

  test('keeps both sides equal beside the app, goes back to the byte, and drops the columns at the end', async () => {
    const sql = await app(tables);
    await make(sql, 'extract-table', 'public.Users', 'Id', options);
    const before = await contents(sql, users);
    for (let round = 0; round < 2; round++) {
      expect(await last(migrateAll(sql, { plan }))).toMatchObject({ state: 'succeeded' });
      expect(await differing(sql)).toBe(0);
      expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
      expect(await last(rollbackAll(sql, { plan }))).toMatchObject({ state: 'succeeded', conflicts: 0 });
      expect(await contents(sql, users)).toBe(before);
      expect(await contents(sql, profiles)).toBeNull();
    }
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect(await value(sql, `select to_regclass('${profiles}')::text`)).toBeNull();

    await migrateAll(sql, { plan });
    for (const write of [
      `update ${users} set "the name" = 'old side', data = null where "Id" < 4`,
      `update ${profiles} set "the name" = 'new side', mood = null where "Id" = 5`,
      `insert into ${users} ("Id", data) values (30, '[1]')`,
      `update ${users} set "Id" = 31 where "Id" = 6`,
      `delete from ${users} where "Id" = 7`,
    ]) {
      await sql.unsafe(write);
      expect(await differing(sql), write).toBe(0);
    }
    // A value that could not go over stays where it is, also when another column of the row comes back.
    await sql.unsafe(
      `alter table ${profiles} add constraint refused check ("the name" <> 'ahead') not valid`,
    );
    await sql.unsafe(`update ${users} set "the name" = 'ahead' where "Id" = 9`);
    await sql.unsafe(`alter table ${profiles} drop constraint refused`);
    await sql.unsafe(`update ${profiles} set mood = 'glad' where "Id" = 9`);
    await migrateAll(sql, { plan });
    expect(await differing(sql)).toBe(0);
    expect(await value(sql, `select "the name" || ' ' || mood from ${users} where "Id" = 9`)).toBe(
      'ahead glad',
    );
    // A row that must have a value cannot lose it by the back door.
    expect(await sqlstate(sql.unsafe(`delete from ${profiles} where "Id" = 8`))).toBe('23502');
    await finalizeAll(sql, { plan });
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect(
      await value(
        sql,
        `select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = '${users}'::regclass and attnum > 0 and not attisdropped`,
      ),
    ).toBe('Id,email');
    await sql.unsafe(`insert into ${users} values (40); insert into ${profiles} ("Id") values (40)`);
    expect(await value(sql, `select "the name" || ' ' || mood from ${profiles} where "Id" = 40`)).toBe(
      "no 'one glad",
    );
    expect(await sqlstate(sql.unsafe(`update ${profiles} set "the name" = null where "Id" = 40`))).toBe(
      '23502',
    );
    await sql.unsafe(`delete from ${users} where "Id" = 40`);
    expect(await value(sql, `select count(*)::int from ${profiles}`)).toBe(20);
  });

  test.each([
    ['nobody', {}, ['42501', '42501']],
    ['those who see the source rows', { grants: 'source' }, [10, 10]],
  ])('shows rows to %s', async (_, chosen, seen) => {
    const sql = await app(tables);
    await make(sql, 'extract-table', 'public.Users', 'Id', { ...options, ...chosen });
    await migrateAll(sql, { plan });
    expect([await seenBy(sql, 'anon'), await seenBy(sql, 'authenticated')]).toEqual(seen);
    expect(await seenBy(sql, 'service_role')).toBe(20);
    expect(await value(sql, `select relrowsecurity from pg_class where oid = '${profiles}'::regclass`)).toBe(
      true,
    );
  });

  test('an emptied row is emptied on the old side, and made again', async () => {
    const sql = await app(`
      create table public.notes (id bigint primary key, text text, more integer);
      insert into public.notes select i, 't' || i, i from generate_series(1, 5) i;`);
    await make(sql, 'extract-table', 'public.notes', 'id', { columns: 'text,more', to: 'public.texts' });
    await migrateAll(sql, { plan });
    await sql`delete from public.texts where id = 2`;
    expect(await value(sql, `select t::text from public.notes t where id = 2`)).toBe('(2,,)');
    expect(await value(sql, `select entity::int from ${plan}.pending`)).toBe(2);
    await migrateAll(sql, { plan });
    expect(await value(sql, `select t::text from public.texts t where id = 2`)).toBe('(2,,)');
  });

  test('refuses what stands on the columns, and a table that came in between', async () => {
    const sql = await app(`${tables} create view public.names as select "the name" from ${users};`);
    await make(sql, 'extract-table', 'public.Users', 'Id', options);
    expect((await refusal(call(sql, 'migrate_batch', { plan }))).message).toContain('depends on');
    await sql.unsafe(`drop view public.names; create table ${profiles} ()`);
    expect((await refusal(call(sql, 'migrate_batch', { plan }))).message).toContain('is there already');
    const ask = (given: KindOptions) =>
      refused(sql, 'extract-table', 'public.Users', 'Id', { ...options, ...given });
    await sql.unsafe(`drop schema ${plan} cascade`);
    expect(await ask({})).toBe('name-taken');
    expect(await ask({ to: 'gone.table' })).toBe('no-table');
    expect(await ask({ to: 'public.x', columns: 'Id' })).toBe('no-column');
    expect(await ask({ to: 'public.x', columns: 'mood,mood' })).toBe('bad-value');
    expect(await ask({ to: 'public.x', grants: 'all' })).toBe('bad-value');
  });
});

describe('dedupe', () => {
  const contacts = 'public."Contacts"';
  const tables = `
    create table ${contacts} ("Id" bigint generated always as identity primary key, "e-mail" text, tenant integer, at date, name text default 'x');
    create table public.orders (id integer primary key, "of" bigint references ${contacts} on delete cascade, note text);
    create index on public.orders ("of");
    create table public.tags ("of" bigint references ${contacts}, tag text, since date, primary key ("of", tag));
    create table public.messages (id integer primary key, sender bigint not null references ${contacts}, receiver bigint references ${contacts} on delete set null);
    create index on public.messages (sender);
    create index on public.messages (receiver);
    insert into ${contacts} ("e-mail", tenant, at)
    select case when i % 6 < 4 then 'e' || i % 6 end, case when i % 6 <> 3 then 1 end, case when i <> 2 then date '2024-01-31' - i end from generate_series(1, 18) i;
    insert into public.orders select i, i, 'o' || i from generate_series(1, 18) i;
    insert into public.tags select i, 't' || i, '2024-01-01' from generate_series(1, 18) i;
    insert into public.messages select i, i, 19 - i from generate_series(1, 18) i;`;
  const all = [contacts, 'public.orders', 'public.tags', 'public.messages'];
  const options = { columns: 'e-mail,tenant', keep: 'oldest', by: 'at' };
  const everything = async (sql: Sql) => await Promise.all(all.map((table) => contents(sql, table)));

  test('merges rows into the one that stays, brings all back, and keeps it so at the end', async () => {
    const sql = await app(tables);
    await make(sql, 'dedupe', 'public.Contacts', 'Id', options);
    const before = await everything(sql);
    for (let round = 0; round < 2; round++) {
      const moved = await migrateAll(sql, { plan });
      expect(moved.at(-1)).toMatchObject({ state: 'succeeded' });
      expect(moved.reduce((sum, { migrated }) => sum + migrated, 0)).toBe(3);
      // Of 6, 12, 18 the last is the oldest; of 2, 8, 14 the one without a date comes last. Nulls are equal to nothing.
      expect(await value(sql, `select string_agg("Id"::text, ' ' order by "Id") from ${contacts}`)).toBe(
        '3 4 5 9 10 11 13 14 15 16 17 18',
      );
      expect(
        await value(
          sql,
          `select string_agg("of"::text, ' ' order by id) from public.orders where id % 6 < 3`,
        ),
      ).toBe('13 14 18 13 14 18 13 14 18');
      expect(
        await value(sql, `select string_agg(tag, ' ' order by tag) from public.tags where "of" = 14`),
      ).toBe('t14 t2 t8');
      expect(await value(sql, `select t::text from public.messages t where id = 1`)).toBe('(1,13,18)');
      expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
      expect(await last(rollbackAll(sql, { plan }))).toMatchObject({ state: 'succeeded', conflicts: 0 });
      expect(await everything(sql)).toEqual(before);
    }
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect(await value(sql, `select to_regclass('public.made_doubles')::text`)).toBeNull();

    await migrateAll(sql, { plan });
    // One that comes later goes into the one that has stayed, older or not.
    await sql.unsafe(`insert into ${contacts} ("e-mail", tenant, at) values ('e1', 1, '1999-01-01')`);
    expect((await refusal(finalizeAll(sql, { plan }))).code).toBe('IM038');
    await migrateAll(sql, { plan });
    expect(await value(sql, `select "Id"::int from ${contacts} where "e-mail" = 'e1'`)).toBe(13);
    await finalizeAll(sql, { plan });
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect(await sqlstate(sql.unsafe(`insert into ${contacts} ("e-mail", tenant) values ('e1', 1)`))).toBe(
      '23505',
    );
    expect(await sqlstate(sql.unsafe(`insert into ${contacts} ("e-mail", tenant) values ('e3', null)`))).toBe(
      'written',
    );
    expect(await value(sql, `select to_regclass('public.made_doubles')::text`)).toBeNull();
  });

  test('brings back what the app has left alone, and no doubles of a row that it has deleted', async () => {
    const sql = await app(tables);
    await make(sql, 'dedupe', 'public.Contacts', 'Id', { ...options, keep: 'newest' });
    await migrateAll(sql, { plan });
    expect(
      await value(
        sql,
        `select string_agg("Id"::text, ' ' order by "Id") from ${contacts} where "e-mail" < 'e3'`,
      ),
    ).toBe('1 6 8');
    await sql.unsafe(`
      delete from public.messages where 6 in (sender, receiver);
      delete from public.tags where "of" = 6;
      delete from ${contacts} where "Id" = 6;
      update ${contacts} set name = 'theirs' where "Id" = 1;
      insert into public.orders values (50, 8, 'new')`);
    expect(await last(rollbackAll(sql, { plan }))).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(
      await value(
        sql,
        `select string_agg("Id"::text, ' ' order by "Id") from ${contacts} where "e-mail" < 'e3'`,
      ),
    ).toBe('1 2 7 8 13 14');
    expect(
      await value(
        sql,
        `select string_agg(o::text, ' ' order by id) from public.orders o where id in (2, 7, 50)`,
      ),
    ).toBe('(2,2,o2) (7,7,o7) (50,8,new)');
  });

  test('loses no reference that the app makes to a double which is about to go', async () => {
    const sql = await app(tables);
    await make(sql, 'dedupe', 'public.Contacts', 'Id', options);
    while ((await call(sql, 'prepare_migration', { plan })).has_more);
    await sql`update imago.setting set value = '5000' where name = 'lock_timeout_ms'`;
    const [writer, runner] = [databases.at(-1)?.connect(), databases.at(-1)?.connect()];
    if (!writer || !runner) throw new Error('no database');
    const pid = await pidOf(runner);
    let running: Promise<unknown> | undefined;
    await writer.begin(async (tx) => {
      await tx.unsafe('insert into public.orders values (70, 7)');
      running = migrateAll(runner, { plan });
      await untilBlocked(sql, pid);
    });
    await running;
    expect(await value(sql, 'select "of"::int from public.orders where id = 70')).toBe(13);
    await expect(sql.unsafe('insert into public.orders values (71, 7)')).rejects.toThrow('foreign key');
  });

  test('sets aside a row that has stayed and became a double itself, so that all goes back', async () => {
    const sql = await app(tables);
    await make(sql, 'dedupe', 'public.Contacts', 'Id', options);
    const before = await everything(sql);
    await migrateAll(sql, { plan });
    await sql.unsafe(`update ${contacts} set "e-mail" = 'e1' where "Id" = 14`);
    expect(await last(migrateAll(sql, { plan }))).toMatchObject({ state: 'failed' });
    expect([...(await sql`select entity, sqlstate from imago.failure`)]).toEqual([
      { entity: '14', sqlstate: '23001' },
    ]);
    expect(await last(rollbackAll(sql, { plan }))).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await sql.unsafe(`update ${contacts} set "e-mail" = 'e2' where "Id" = 14`);
    expect(await everything(sql)).toEqual(before);
  });

  test('takes rows for equal that a unique index does, whatever the search path', async () => {
    const sql = await app(`
      create schema if not exists extensions;
      create extension if not exists citext schema extensions;
      create table public.people (code varchar(9) primary key, mail extensions.citext, n integer);
      insert into public.people values ('a', 'X@Y', 1), ('b', 'x@y', 1), ('c', 'z', 1);`);
    await make(sql, 'dedupe', 'public.people', 'code', { columns: 'mail', keep: 'newest', by: 'n' });
    const before = await contents(sql, 'public.people');
    expect(await last(migrateAll(sql, { plan }))).toMatchObject({ state: 'succeeded' });
    expect(await contents(sql, 'public.people')).toBe('(b,x@y,1),(c,z,1)');
    await rollbackAll(sql, { plan });
    expect(await contents(sql, 'public.people')).toBe(before);
    await migrateAll(sql, { plan });
    await finalizeAll(sql, { plan });
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
    expect(await sqlstate(sql`insert into public.people values ('d', 'Z')`)).toBe('23505');
  });

  test('refuses to start where references would collide, and names them', async () => {
    const sql = await app(`${tables}
      insert into public.tags values (7, 't1', null), (1, 'same', null), (13, 'same', null), (5, 'same', null);
      create unique index "Some orders" on public.orders (lower(note), "of") where id < 100;
      insert into public.orders values (60, 2, 'A'), (61, 8, 'a'), (160, 1, 'B'), (161, 7, 'b');`);
    await make(sql, 'dedupe', 'public.Contacts', 'Id', options);
    const error = await refusal(call(sql, 'migrate_batch', { plan }));
    expect(error.code).toBe('IM006');
    const { problems } = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' });
    expect(
      problems
        .filter(({ kind }: { kind: string }) => kind === 'collision')
        .map(({ object, message }: { object: string; message: string }) => `${object} ${message}`)
        .sort(),
    ).toEqual([
      'public.orders has rows that would collide in public."Some orders" once they refer to the row that stays: those of 1 rows (14)',
      'public.tags has rows that would collide in public.tags_pkey once they refer to the row that stays: those of 1 rows (13)',
    ]);
    await sql.unsafe(
      `delete from public.tags where tag in ('same', 't1'); delete from public.orders where id = 60`,
    );
    expect(await last(migrateAll(sql, { plan }))).toMatchObject({ state: 'succeeded' });
  });

  test('refuses references that it does not know, or cannot repoint', async () => {
    const sql = await app(tables);
    await make(sql, 'dedupe', 'public.Contacts', 'Id', options);
    await sql.unsafe(
      `create table public.later (id integer primary key, contact bigint references ${contacts})`,
    );
    expect((await refusal(call(sql, 'migrate_batch', { plan }))).message).toContain('does not know');
    await sql.unsafe(`drop schema ${plan} cascade; drop table public.later`);
    const ask = async (statement: string, given: KindOptions = {}) => {
      if (statement) await sql.unsafe(statement);
      return await refused(sql, 'dedupe', 'public.Contacts', 'Id', { ...options, ...given });
    };
    expect(await ask('', { keep: 'best' })).toBe('bad-value');
    expect(await ask('', { by: 'gone' })).toBe('no-column');
    expect(await ask(`alter table ${contacts} add column doc json`, { columns: 'doc' })).toBe('bad-value');
    expect(await ask(`alter table ${contacts} add column parent bigint references ${contacts}`)).toBe(
      'unfit-table',
    );
    expect(
      await ask(
        `alter table ${contacts} drop column parent; create table public.keyless (contact bigint references ${contacts})`,
      ),
    ).toBe('unfit-table');
    expect(
      await ask(
        `drop table public.keyless; create table public.pairs (a bigint references ${contacts}, b bigint references ${contacts}, primary key (a, b))`,
      ),
    ).toBe('unfit-table');
  });
});
