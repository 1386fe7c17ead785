import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, forward, PLAN } from '../support/plan.ts';
import { createShops, hostile, TABLES } from '../support/shops.ts';
import { expectNoTraces } from '../support/state.ts';
import { failedSyncs } from '../support/sync.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function shops(rows: number): Promise<Sql> {
  const db = await freshDatabase({});
  databases.push(db);
  await createShops(db.sql, rows);
  return db.sql;
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

  test('is one text in answers, failures, cohorts and windows', async () => {
    const sql = await shops(40);
    const [keys] = await sql<{ list: string[] }[]>`
      select array_agg(row(country, code)::text order by country, code) as list from public.shops`;
    const [first = '', second = '', third = '', fourth = ''] = keys?.list.slice(8) ?? [];
    const label = (key: string) =>
      value<string | null>(sql, `select label from public.shops where row(country, code)::text = $1`, [key]);

    // One of a cohort of two cannot be moved.
    await sql.unsafe(`create function public.refuse() returns trigger language plpgsql as $$
      begin if row(new.country, new.code)::text = tg_argv[0] then raise check_violation; end if; return new; end $$`);
    await sql.unsafe(
      `create trigger refuse before update on public.shops for each row execute function public.refuse('${first.replaceAll("'", "''")}')`,
    );
    await call(sql, 'migrate_batch', { plan: PLAN, batch_size: 1, cohort: { keys: [first, second] } });
    await migrateAll(sql, { plan: PLAN });
    const failures = () => sql`select entity, kind from imago.failure where plan = ${PLAN}`;
    expect([...(await failures())]).toEqual([{ entity: first, kind: 'failed' }]);
    expect(await value(sql, 'select count(*)::int from public.shops where label is not null')).toBe(1);
    expect(await label(second)).not.toBeNull();
    await sql.unsafe('drop trigger refuse on public.shops');
    await call(sql, 'retry_failed_migrations', { plan: PLAN });
    await call(sql, 'migrate_batch', { plan: PLAN, cohort: { percent: 100 } });
    await migrateAll(sql, { plan: PLAN });
    expect(await faults(sql)).toBe(0);

    // One goes back alone, is held, and comes again; what somebody has changed is a conflict.
    expect(await call(sql, 'rollback_entity', { plan: PLAN, entity: first })).toMatchObject({
      rolled_back: true,
      entity: first,
    });
    expect(await label(first)).toBeNull();
    expect(await call(sql, 'migrate_entity', { plan: PLAN, entity: first })).toMatchObject({
      migrated: true,
    });
    await sql`update public.shops set label = 'own' where row(country, code)::text = ${second}`;
    expect(await call(sql, 'rollback_entity', { plan: PLAN, entity: second })).toMatchObject({
      rolled_back: false,
      conflicts: [{ relation: 'public.shops', reason: 'changed' }],
    });
    expect(await call(sql, 'forget_entity', { plan: PLAN, entity: third, still_there: true })).toMatchObject({
      entity: third,
    });
    await rollbackAll(sql, { plan: PLAN });
    expect((await failures()).map(({ entity, kind }) => [entity, kind])).toEqual(
      [
        [second, 'conflict'],
        [third, 'forgotten'],
      ].toSorted(),
    );
    expect(await label(fourth)).toBeNull();
    await rollbackAll(sql, { plan: PLAN, force: true });
    // All but the one that was forgotten.
    expect(await value(sql, 'select count(*)::int from public.signs')).toBe(1);
  });

  test('is followed when the app changes it, or what its columns are called', async () => {
    const sql = await shops(20);
    const before = await contents(sql, TABLES);
    await forward(sql);
    const moved = "update public.shops set code = code || ' moved'";
    await sql.unsafe(`${moved} where country = ''`);
    await sql.unsafe(
      `update public.shops set country = code, code = country || '; elsewhere' where country <> '' and code in ('', ',')`,
    );
    expect(await value(sql, "select count(*)::int from imago.log where event = 'keys_lost'")).toBe(0);
    await sql.unsafe(`alter table public.shops rename code to number`);
    const [key] = await sql<
      { text: string }[]
    >`select row(country, number)::text as text from public.shops where number like '% moved' limit 1`;
    expect(await call(sql, 'rollback_entity', { plan: PLAN, entity: key?.text })).toMatchObject({
      rolled_back: true,
    });
    await back(sql);
    expect(await value(sql, 'select count(*)::int from public.shops where label is not null')).toBe(0);
    expect(await value(sql, 'select count(*)::int from public.sales where label is not null')).toBe(0);
    expect(await contents(sql, ['public.signs'])).toEqual({ 'public.signs': before['public.signs'] });
  });

  test('is looked up by its index at each step: no call reads more of a large table than its batch', async () => {
    const sql = await shops(1);
    await sql`insert into public.shops select 'c ' || n % 5, 'code ' || n, 'shop' from generate_series(1, 6000) n`;
    await sql`analyze public.shops`;
    /** Rows that a call reads for each entity that it goes through. */
    const readByEach = (query: string) =>
      sql.begin(async (tx) => {
        const [row] = await tx.unsafe<{ answer: { status: string; processed?: number } }[]>(
          `select ${query} as answer`,
        );
        const [read] = await tx<{ rows: number }[]>`
          select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as rows from pg_stat_xact_user_tables
          where relname in ('shops', 'sales', 'signs') or schemaname = 'imago_undo'`;
        return { status: row?.answer.status, rows: (read?.rows ?? 0) / (row?.answer.processed ?? 1) };
      });
    const read: number[] = [];
    const steps = [
      `public.migrate_batch('${PLAN}', batch_size => 50, max_ms => 1)`,
      `public.rollback_batch('${PLAN}', max_ms => 1)`,
    ];
    for (const step of steps) {
      // A run begins with counting.
      while ((await readByEach(step)).status === 'preparing');
      for (let n = 0; n < 2; n++) read.push((await readByEach(step)).rows);
      if (step === steps[0]) await migrateAll(sql, { plan: PLAN });
    }
    expect(Math.max(...read)).toBeLessThan(30);
  });

  test('cuts a table into lanes without gaps, so that rows which come late are moved, too', async () => {
    const db = await freshDatabase({});
    databases.push(db);
    const { sql } = db;
    await sql.unsafe(`
      create table public.things (a text, b integer, word text, primary key (a, b));
      insert into public.things select md5((n / 3)::text), n, null from generate_series(1, 12000) n;
      analyze public.things`);
    await createPlan(sql, {
      table: 'things',
      key: '{a,b}',
      keyType: 'record',
      fields: { a: 'text', b: 'integer' },
      pending: 's.word is null',
      apply: `update public.things t set word = 'word' from unnest(keys) k where t.a = k.a and t.b = k.b and t.word is null;`,
      writes: [{ relation: 'public.things', entity: '{a,b}', columns: ['word'] }],
    });
    const gaps = (direction: string) =>
      value<number>(
        sql,
        `select count(*)::int from (
           select l.lower_key is distinct from lag(l.upper_key) over (partition by l.run, l.pass, l.partition order by l.number) as gap
           from imago.lane l join imago.run r on r.id = l.run where r.direction = $1) lanes where gap`,
        [direction],
      );
    const lanes = () => value<number>(sql, 'select count(*)::int from imago.lane');
    while ((await lanes()) === 0) await call(sql, 'migrate_batch', { plan: PLAN, batch_size: 1, max_ms: 1 });
    expect(await lanes()).toBeGreaterThan(6);
    expect(await gaps('forward')).toBe(0);
    await sql`insert into public.things select md5(n::text), -n, null from generate_series(1, 3000) n`;
    await migrateAll(sql, { plan: PLAN });
    expect(await value(sql, 'select count(*)::int from public.things where word is null')).toBe(0);
    await rollbackAll(sql, { plan: PLAN });
    expect(await gaps('rollback')).toBe(0);
    expect(await value(sql, 'select count(word)::int from public.things')).toBe(0);
  });

  test('may be one of two of a partitioned table, each for a plan of its own', async () => {
    const db = await freshDatabase({});
    databases.push(db);
    const { sql } = db;
    await sql.unsafe(`
      create table public.tickets (
        tenant smallint, "is open" boolean, number bigint, code varchar(20) collate "C" not null, first text, second text,
        primary key (tenant, "is open", number), unique (code, tenant)
      ) partition by list (tenant);
      create table public.tickets_1 partition of public.tickets for values in (1);
      create table public.tickets_2 partition of public.tickets default;
      insert into public.tickets select n % 3, n % 2 = 0, n, 'No. ' || n from generate_series(1, 60) n`);
    const before = await contents(sql, ['public.tickets']);
    const set = (column: string, match: string) =>
      `update public.tickets t set ${column} = 'set' from unnest(keys) k where ${match} and t.${column} is null;`;
    const plans = [
      {
        name: PLAN,
        key: '{tenant,"is open",number}',
        fields: { tenant: 'smallint', 'is open': 'boolean', number: 'bigint' },
        pending: 's.first is null',
        apply: set('first', 't.tenant = k.tenant and t."is open" = k."is open" and t.number = k.number'),
        column: 'first',
      },
      {
        name: 'other',
        key: '{code,tenant}',
        fields: { code: 'text collate "C"', tenant: 'smallint' },
        pending: 's.second is null',
        apply: set('second', 't.code = k.code and t.tenant = k.tenant'),
        column: 'second',
      },
    ];
    for (const { column, ...plan } of plans) {
      const writes = [{ relation: 'public.tickets', entity: plan.key, columns: [column] }];
      await createPlan(sql, { table: 'tickets', keyType: 'record', ...plan, writes });
    }
    for (const plan of [PLAN, 'other']) {
      expect((await migrateAll(sql, { plan, batch_size: 7 })).at(-1)).toMatchObject({
        status: 'done',
        state: 'succeeded',
      });
    }
    expect(await value(sql, 'select count(first)::int + count(second)::int from public.tickets')).toBe(120);
    // A row that comes to another partition, which changes its key, goes back with the others.
    await sql`update public.tickets set tenant = 1 where number = 2`;
    // A column of another type on the way: nothing is moved until the type of the key has it, too.
    const pending = (await value<string>(sql, `select pg_get_viewdef('${PLAN}.pending')`)).replace(/;$/, '');
    await sql.unsafe(
      `drop view ${PLAN}.pending; alter table public.tickets alter column number type text using number::text`,
    );
    const remedy = `alter type ${PLAN}.key alter attribute number type text`;
    const refused = await refusal(call(sql, 'rollback_batch', { plan: PLAN }));
    expect(refused).toMatchObject({
      code: 'IM076',
      message: expect.stringContaining(`${remedy}; then create the view ${PLAN}.pending again`),
    });
    await sql.unsafe(`${remedy}; create view ${PLAN}.pending as ${pending}`);
    for (const plan of [PLAN, 'other']) {
      expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ status: 'done', conflicts: 0 });
    }
    await sql`update public.tickets set tenant = 2 where number = '2'`;
    expect(await contents(sql, ['public.tickets'])).toEqual(before);
  });

  test('may be that of a later stage, whose rows go away and come back, and of one that is done outside', async () => {
    const db = await freshDatabase({});
    databases.push(db);
    const { sql } = db;
    await sql.unsafe(`
      create table public.teams (id integer primary key, name text, label text);
      create table public.members (team integer references public.teams on delete cascade, login text, note text, primary key (team, login));
      create table public.former (team integer, login text, note text, primary key (team, login));
      insert into public.teams select n, 'team ' || n from generate_series(1, 5) n;
      insert into public.members select 1 + n % 5, 'a, "' || n || '"', 'note' from generate_series(1, 30) n`);
    const tables = ['public.teams', 'public.members', 'public.former'];
    const before = await contents(sql, tables);
    await createPlan(sql, {
      table: 'teams',
      key: 'id',
      keyType: 'integer',
      pending: 's.label is null',
      apply: 'update public.teams set label = name where id = any (keys) and label is null;',
      stages: [
        {
          table: 'members',
          key: '{team,login}',
          keyType: 'record',
          fields: { team: 'integer', login: 'text' },
          pending: 's.team > 2',
          apply: `
            with gone as (delete from public.members s using unnest(keys) k where s.team = k.team and s.login = k.login and s.team > 2 returning s.*)
            insert into public.former select * from gone;`,
        },
      ],
      writes: [
        { relation: 'public.teams', entity: 'id', columns: ['label'] },
        { relation: 'public.members', stage: 2, entity: '{team,login}', deletes: true },
        { relation: 'public.former', stage: 2, entity: '{team,login}', inserts: true },
      ],
    });
    const rounds = async () => {
      await forward(sql, 4);
      expect(await value(sql, 'select count(*)::int from public.members where team > 2')).toBe(0);
      expect(await value(sql, 'select count(*)::int from public.former')).toBe(18);
      expect(await call(sql, 'get_migration_statistics', { plan: PLAN })).toMatchObject({
        total: 35,
        pending: 0,
      });
      await back(sql);
      expect(await contents(sql, tables)).toEqual(before);
    };
    await rounds();

    // The same by a driver that claims keys and brings back what was computed elsewhere.
    await sql.unsafe(`
      update imago.plan_stage set external = true where plan = '${PLAN}';
      drop function ${PLAN}.apply_2(${PLAN}.key_2[]);
      create function ${PLAN}.read_2(keys ${PLAN}.key_2[]) returns jsonb language sql stable as $$
        select jsonb_object_agg(row(s.team, s.login)::text, jsonb_build_object('login', s.login))
        from public.members s join unnest(keys) k on s.team = k.team and s.login = k.login $$;
      create function ${PLAN}.apply_2(keys ${PLAN}.key_2[], results jsonb) returns void language sql as $$
        with gone as (delete from public.members s using unnest(keys) k where s.team = k.team and s.login = k.login returning s.*)
        insert into public.former select g.team, g.login, results ->> row(g.team, g.login)::text from gone g $$`);
    let answer = await call(sql, 'migrate_batch', { plan: PLAN });
    while (answer.status !== 'external') answer = await call(sql, 'migrate_batch', { plan: PLAN });
    const claim = await call(sql, 'claim_entities', { plan: PLAN, batch_size: 100 });
    const entities: { key: string; row: { login: string } }[] = claim.entities;
    expect(entities).toHaveLength(18);
    const results = Object.fromEntries(entities.map(({ key, row }) => [key, `of ${row.login}`]));
    let returned = await call(sql, 'return_entities', { plan: PLAN, token: claim.token, results });
    while (returned.left > 0)
      returned = await call(sql, 'return_entities', { plan: PLAN, token: claim.token, results });
    expect(await value(sql, `select count(*)::int from public.former where note = 'of ' || login`)).toBe(18);
    await back(sql);
    expect(await contents(sql, tables)).toEqual(before);
  });

  test('may hold dates and moments, whatever a session writes them like', async () => {
    const db = await freshDatabase({});
    databases.push(db);
    const { sql } = db;
    await sql.unsafe(`
      create table public.readings (sensor integer, at timestamptz(3), day date, value integer, doubled integer, primary key (sensor, at, day)) partition by range (at);
      create table public.early partition of public.readings for values from (minvalue) to ('2024-03-31 01:00:00+00');
      create table public.late partition of public.readings default;
      insert into public.readings select n % 3, '2024-03-31 00:00:00+00'::timestamptz + n * interval '7.001 min', date '2024-03-01' + n, n from generate_series(1, 30) n`);
    const before = await contents(sql, ['public.readings']);
    const pending = 's.doubled is distinct from s.value * 2';
    await createPlan(sql, {
      table: 'readings',
      key: '{sensor,at,day}',
      keyType: 'record',
      fields: { sensor: 'integer', at: 'timestamptz(3)', day: 'date' },
      pending,
      apply: `update public.readings s set doubled = s.value * 2 from unnest(keys) k where s.sensor = k.sensor and s.at = k.at and s.day = k.day and ${pending};`,
      writes: [{ relation: 'public.readings', entity: '{sensor,at,day}', columns: ['doubled'] }],
      syncs: [
        {
          name: 'values',
          relation: 'public.readings',
          entity: '{sensor,at,day}',
          columns: ['value'],
          creates: true,
          statement: `select ${PLAN}.apply(array(select row(n.sensor, n.at, n.day)::${PLAN}.key from new_rows n))`,
        },
      ],
    });
    const sessions = await Promise.all(
      [
        ['Asia/Kolkata', 'German'],
        ['America/New_York', 'SQL, MDY'],
        ['UTC', 'ISO'],
      ].map(async ([zone, style]) => {
        const session = db.connect({ max: 1 });
        await session.unsafe(`set timezone = '${zone}'; set datestyle = '${style}'`);
        return session;
      }),
    );
    const [kolkata, york, utc] = sessions as [Sql, Sql, Sql];
    const key = '(1,"2024-03-31 00:07:00.06+00",2024-03-02)';
    await value(kolkata, `select public.prepare_migration('${PLAN}') from generate_series(1, 9)`);
    await migrateAll(kolkata, { plan: PLAN, batch_size: 4 });
    expect(await value(sql, 'select count(*)::int from public.readings where doubled = 2 * value')).toBe(30);
    expect(
      await call(york, 'rollback_entity', {
        plan: PLAN,
        entity: '(1,"03/30/2024 20:07:00.06 EDT",03/02/2024)',
      }),
    ).toMatchObject({
      entity: key,
      rolled_back: true,
    });
    // Held, in the words of any session: no write of the app moves it, nor a run.
    await york.unsafe("update public.readings set value = value where sensor = 1 and day = '2024-03-02'");
    await migrateAll(utc, { plan: PLAN });
    const held = () => value(sql, `select string_agg(entity, ' ') from imago.failure where kind = 'held'`);
    expect(await held()).toBe(key);
    expect(await value(sql, 'select count(*)::int from public.readings where doubled is null')).toBe(1);
    expect(await call(kolkata, 'migrate_entity', { plan: PLAN, entity: key })).toMatchObject({
      entity: key,
      migrated: true,
    });
    await york.unsafe("update public.readings set at = at + interval '1 hour' where sensor = 2");
    await rollbackAll(york, { plan: PLAN });
    expect([...(await sql`select entity, reason from imago.failure`)]).toEqual([]);
    await sql.unsafe("update public.readings set at = at - interval '1 hour' where sensor = 2");
    expect(await contents(sql, ['public.readings'])).toEqual(before);
  });

  test('may hold numerics: one record, however many zeros somebody writes', async () => {
    const db = await freshDatabase({});
    databases.push(db);
    const { sql } = db;
    await sql.unsafe(`
      create domain public.price as numeric check (value <> 13);
      create table public.rates (code text, price public.price, doubled integer, sign text, primary key (code, price));
      create table public.signs (code text, price numeric, primary key (code, price));
      insert into public.rates select 'r' || n % 3, n * 1.50, null from generate_series(1, 20) n;
      insert into public.rates values ('r1', 'NaN'), ('r1', 'Infinity'), ('r1', '-Infinity'), ('r1', 0.00), ('r1', -1.10), ('r1', 1e30), ('r1', 0.000000001000)`);
    await sql`create table public.before as table public.rates`;
    const key = '{code,price}';
    await createPlan(sql, {
      table: 'rates',
      key,
      keyType: 'record',
      fields: { code: 'text', price: 'numeric' },
      pending: 's.doubled is null',
      apply: `
        insert into public.signs select k.code, k.price from unnest(keys) k on conflict do nothing;
        update public.rates s set doubled = 2 from unnest(keys) k where s.code = k.code and s.price = k.price and s.doubled is null;`,
      writes: [
        { relation: 'public.signs', entity: key, inserts: true },
        { relation: 'public.rates', entity: key, columns: ['doubled'] },
      ],
      syncs: [
        {
          name: 'new rates',
          relation: 'public.rates',
          entity: key,
          creates: true,
          events: ['insert'],
          statement: `select ${PLAN}.apply(array(select row(n.code, n.price)::${PLAN}.key from new_rows n))`,
        },
      ],
    });
    await forward(sql, 4);
    expect(await value(sql, 'select count(*)::int from public.rates where doubled is null')).toBe(0);
    const [write] = await sql<{ undo: string }[]>`
      select undo_table as undo from imago.plan_write where plan = ${PLAN} and relation = 'public.rates'`;
    const kept = await sql.unsafe(
      `select entity from imago_undo.${write?.undo} where entity like '(r1,%' order by entity collate "C"`,
    );
    expect(kept.map(({ entity }) => entity)).toEqual(
      [
        '-1.1',
        '-Infinity',
        '0',
        '0.000000001',
        '1.5',
        '10.5',
        '15',
        '19.5',
        `1${'0'.repeat(30)}`,
        '24',
        '28.5',
        '6',
        'Infinity',
        'NaN',
      ]
        .map((price) => `(r1,${price})`)
        .toSorted(),
    );
    // A plan that names it in its own words is understood, too.
    const asked =
      "select imago.is_journaled($1, 'public.rates', '(r1,1.5000)') and imago.is_as_written($1, 'public.signs', '(r1,1.500)', 'r1,1.50')";
    expect(await value(sql, asked, [PLAN])).toBe(true);
    // Only its zeros change: nothing is another row, or lost.
    await sql`update public.rates set price = 1.5000 where code = 'r1' and price = 1.5`;
    const one = { plan: PLAN, entity: '(r1,01.50)' };
    expect(await call(sql, 'rollback_entity', one)).toMatchObject({ rolled_back: true, entity: '(r1,1.5)' });
    expect(await value(sql, `select entity from imago.failure where kind = 'held'`)).toBe('(r1,1.5)');
    await sql`update public.rates set price = 1.50, sign = 'seen' where code = 'r1' and price = 1.5`;
    await migrateAll(sql, { plan: PLAN });
    expect(await value(sql, 'select count(*)::int from public.rates where doubled is null')).toBe(1);
    expect(await call(sql, 'migrate_entity', one)).toMatchObject({ migrated: true, entity: '(r1,1.5)' });
    await sql`update public.rates set sign = null`;
    // Another number is another key, which the journal follows.
    await sql`update public.rates set price = price + 0.500 where code = 'r2'`;
    await sql`update public.rates set price = price - 0.5 where code = 'r2'`;
    expect(await value(sql, "select count(*)::int from imago.log where event = 'keys_lost'")).toBe(0);
    await back(sql);
    expect(
      await value(
        sql,
        `select (select count(*) from ((table public.rates except table public.before) union all (table public.before except table public.rates)) d)::int
          + (select count(*) from public.signs)::int`,
      ),
    ).toBe(0);

    // A cohort by keys takes them, and a second run knows who was moved.
    await call(sql, 'migrate_batch', {
      plan: PLAN,
      cohort: { keys: ['(r1,-1.1000)', '(r1,0.0)', '(r1,0)'] },
    });
    await migrateAll(sql, { plan: PLAN });
    expect(await value(sql, 'select count(*)::int from public.rates where doubled = 2')).toBe(2);
    await sql`insert into public.rates values ('late', 7.700)`;
    expect(await failedSyncs(sql)).toEqual([]);
    await back(sql);
  });

  test('is refused by the preflight where it is not unique, nullable or of other types, and where its type is missing', async () => {
    const sql = await shops(2);
    const problems = async () =>
      (
        await sql<{ kind: string; hint: string }[]>`
        select p.kind, p.hint from imago.plan t cross join lateral imago.key_problems(t) p where t.name = ${PLAN} order by 1`
      ).map((row) => ({
        ...row,
      }));
    expect(await problems()).toEqual([]);
    await sql`update imago.plan set key_column = '{code,country}'`;
    expect((await problems()).map(({ kind }) => kind)).toEqual(['not_unique']);
    await sql`update imago.plan set key_column = '{country,label,code}'`;
    expect(await problems()).toMatchObject([
      { kind: 'key_type', hint: `create type ${PLAN}.key as (country text, label text, code text);` },
      { kind: 'not_unique' },
      { kind: 'nullable' },
    ]);
    await sql`update imago.plan set key_column = '{country,code}'`;
    await sql.unsafe(
      "create type public.size as enum ('s', 'm'); alter table public.shops add size public.size not null default 's'",
    );
    await sql`update imago.plan set key_column = '{country,size}'`;
    expect(await problems()).toMatchObject([
      { kind: 'key_type' },
      { kind: 'not_unique' },
      { kind: 'wrong_type', hint: expect.stringContaining('alter table public.shops add walk_key bigint') },
    ]);
  });
});
