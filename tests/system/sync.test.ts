import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { avatarFaults, expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, expectOneRowEach, forward, PLAN } from '../support/plan.ts';
import { allChecksums, expectNoTraces, UNTOUCHED, userStates } from '../support/state.ts';
import { failedSyncs, resumeSync, stopSync } from '../support/sync.ts';
import { createTown, NO_FAULTS, PLAIN, QUOTED, type TownShape, townFaults } from '../support/town.ts';
import { writeToPartitions } from '../support/town-partitions.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function town(
  count = 6,
  shape: TownShape = PLAIN,
  change?: Parameters<typeof createTown>[3],
): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  await createTown(db.sql, count, shape, change);
  return db;
}

const conflicts = async (sql: Sql) =>
  (
    await sql<{ conflict: string }[]>`
      select distinct entity || ' ' || table_name || ' ' || reason as conflict from imago.failure where kind = 'conflict' order by 1`
  ).map((row) => row.conflict);

describe.each([
  ['plain names', PLAIN],
  ['quoted names, text keys, partitions', QUOTED],
])('sync of tables with %s', (_, shape) => {
  const { people, profiles, letters, id, key } = shape;

  test('whichever side the app writes, the other follows in the same statement, and all goes back', async () => {
    const { sql } = await town(6, shape);
    await forward(sql);
    expect(await townFaults(sql, shape)).toEqual(NO_FAULTS);

    // New people, many rows in one statement; letters to new ones and old ones.
    await sql.unsafe(
      `insert into ${people} (${id}, city) select ${key('n')}, 'new ' || n from generate_series(101, 110) n`,
    );
    await sql.unsafe(
      `insert into ${letters} (id, person, body) select 1000 + n, ${key('n')}, 'b' from generate_series(101, 110) n
       union all select 2000, ${key(1)}, 'b'`,
    );
    // Old side, new side; of old people and new ones.
    await sql.unsafe(
      `update ${people} set city = city || ' moved' where ${id} in (${key(1)}, ${key(101)}, ${key(102)})`,
    );
    await sql.unsafe(
      `update ${profiles} set city = city || ' again' where person in (${key(2)}, ${key(102)}, ${key(103)})`,
    );
    await sql.unsafe(`
      insert into ${people} (${id}, city) values (${key(3)}, 'upserted'), (${key(120)}, 'upserted')
      on conflict (${id}) do update set city = excluded.city`);
    // More rows than a kept plan is good for.
    await sql.unsafe(
      `insert into ${people} (${id}, city) select ${key('n')}, 'bulk ' || n from generate_series(201, 450) n`,
    );
    await sql.unsafe(`update ${people} set city = city || ' moved' where city like 'bulk%'`);
    await sql.unsafe(`update ${profiles} set city = city || ' again' where city like 'bulk%'`);
    await sql.unsafe(
      `insert into ${letters} (id, person, body) select 3000 + n, ${key('n')}, 'b' from generate_series(201, 450) n`,
    );
    await sql.unsafe(`delete from ${people} where city like 'bulk%'`);
    // What is not mirrored stays where it is.
    await sql.unsafe(`update ${people} set bio = 'b' where ${id} = ${key(4)}`);
    expect(await failedSyncs(sql)).toEqual([]);
    expect(await townFaults(sql, shape)).toEqual(NO_FAULTS);
    expect(
      await value(
        sql,
        `select array_agg(city order by city) from ${people} where ${id} in (${key(102)}, ${key(2)})`,
      ),
    ).toEqual(['city 2 again', 'new 102 moved again']);
    expect(
      await value(
        sql,
        `select count(*)::int from ${people} where ${id}::text <> '' and updated_at > '2020-01-01'`,
      ),
    ).toBe(
      // Written by the app or mirrored to: both are writes of the app.
      7,
    );
    await expectOneRowEach(sql);

    const rows = {
      people: await contents(sql, [people]),
      letters: await value(sql, `select count(*)::int from ${letters}`),
    };
    await back(sql);
    expect(await contents(sql, [people])).toEqual(rows.people);
    expect(await value(sql, `select count(*)::int from ${letters} where profile is null`)).toBe(rows.letters);
    expect(await value(sql, `select count(*)::int from ${profiles}`)).toBe(0);
    await expectNoTraces(sql, PLAN);
    expect(await value(sql, `select count(*)::int from imago.plan_sync where installed_at is not null`)).toBe(
      0,
    );
    expect(await value(sql, `select count(*)::int from pg_proc where proname like 'trial_sync%'`)).toBe(0);
  });

  test('a row that changes hands takes its journal along', async () => {
    const { sql } = await town(6, shape);
    const before = await contents(sql, [people, letters]);
    await forward(sql);
    // There and further, there and back, and two people exchange theirs in one statement.
    await sql.unsafe(`update ${letters} set person = ${key(2)} where person = ${key(1)}`);
    await sql.unsafe(`update ${letters} set person = ${key(3)} where person = ${key(2)}`);
    await sql.unsafe(`update ${letters} set person = ${key(5)} where person = ${key(4)} and id < 10`);
    await sql.unsafe(`
      update ${letters} set person = case person when ${key(5)} then ${key(6)} else ${key(5)} end
      where person in (${key(5)}, ${key(6)})`);
    expect(await failedSyncs(sql)).toEqual([]);
    expect(await townFaults(sql, shape)).toEqual(NO_FAULTS);

    await sql.unsafe(`update ${letters} set person = ${key(`(1 + id % 6)`)}`);
    expect(await townFaults(sql, shape)).toEqual(NO_FAULTS);
    await back(sql);
    expect(await contents(sql, [people, letters])).toEqual(before);
  });

  test('what was mirrored is no conflict, any other edit is', async () => {
    const { sql } = await town(9, shape);
    await forward(sql);
    const edit = (n: number, what: string) =>
      sql.unsafe(`update ${profiles} set ${what} where person = ${key(n)}`);
    await edit(1, `city = 'x'`);
    await edit(1, `city = 'y'`);
    await edit(2, `note = 'mine'`);
    await edit(3, `note = 'mine', city = 'x'`);
    await edit(4, `note = 'mine'`);
    await edit(4, `city = 'x'`);
    await edit(5, `city = 'x'`);
    await edit(5, `note = 'mine'`);
    await edit(6, `note = 'mine'`);
    // Our own write to a row that was edited before does not hide the edit.
    await sql.unsafe(`update ${people} set city = 'moved' where ${id} = ${key(6)}`);
    await sql.unsafe(`update ${people} set city = 'moved' where ${id} = ${key(8)}`);
    await edit(8, `city = 'x'`);
    expect(await failedSyncs(sql)).toEqual([]);
    expect(await townFaults(sql, shape)).toEqual(NO_FAULTS);

    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      status: 'done',
      state: 'failed',
      conflicts: 5,
    });
    const keys = await sql.unsafe<{ key: string }[]>(
      `select (${key('n')})::text as key from unnest(array[2, 3, 4, 5, 6]) n`,
    );
    expect(await conflicts(sql)).toEqual(keys.map((row) => `${row.key} ${profiles} edited`).sort());
    // Those who stay are still followed; nobody new is moved.
    await sql.unsafe(`update ${people} set city = 'followed' where ${id} = ${key(2)}`);
    await sql.unsafe(`insert into ${people} (${id}, city) values (${key(50)}, 'c')`);
    expect(await value(sql, `select city from ${profiles} where person = ${key(2)}`)).toBe('followed');
    expect(await value(sql, `select count(*)::int from ${profiles}`)).toBe(5);
    expect((await rollbackAll(sql, { plan: PLAN, force: true })).at(-1)).toMatchObject({
      state: 'succeeded',
    });
    await expectNoTraces(sql, PLAN);
    await migrateAll(sql, { plan: PLAN });
    expect(await townFaults(sql, shape)).toEqual(NO_FAULTS);
  });

  test('deletions are followed where the plan says so', async () => {
    const { sql } = await town(4, shape);
    await forward(sql);
    await sql.unsafe(`delete from ${profiles} where person in (${key(1)}, ${key(2)})`);
    expect(await failedSyncs(sql)).toEqual([]);
    expect(await value(sql, `select count(*)::int from ${people} where city is null`)).toBe(2);
    await sql.unsafe(`delete from ${people} where ${id} = ${key(3)}`);
    expect(await failedSyncs(sql)).toEqual([]);
    await back(sql);
    expect(await value(sql, `select count(*)::int from ${people}`)).toBe(3);
  });
});

describe('a sync that fails', () => {
  test('leaves the entity pending, says so, and the app has written', async () => {
    const { sql } = await town();
    await forward(sql);
    await sql`update public.people set city = 'poison' where id in (2, 3)`;
    await sql`insert into public.people (id, city) values (7, 'poison')`;
    expect(await value(sql, `select count(*)::int from public.people where city = 'poison'`)).toBe(3);
    expect(await failedSyncs(sql)).toEqual([
      { entities: ['2', '3'], sqlstate: '23514', sync: 'city of a person', constraint: 'no_poison' },
      { entities: ['7'], sqlstate: '23514', sync: 'new people', constraint: 'no_poison' },
    ]);
    expect(JSON.stringify(await sql`select * from imago.log`)).not.toContain('"poison"');
    expect([...(await sql`select entity from trial.pending order by 1`)]).toEqual([
      { entity: 2 },
      { entity: 3 },
      { entity: 7 },
    ]);
    await sql`update public.people set city = 'cured' where city = 'poison'`;
    expect([...(await sql`select entity from trial.pending`)]).toEqual([{ entity: 7 }]);
    await forward(sql);
    expect(await townFaults(sql)).toEqual(NO_FAULTS);
    await back(sql);
  });

  test('of one statement for many leaves each of them pending, and is one line of the log', async () => {
    const { sql } = await town(250);
    await forward(sql);
    await sql`update public.people set city = case when id = 77 then 'poison' else 'moved' end`;
    expect(await value(sql, 'select count(*)::int from trial.pending')).toBe(250);
    expect([
      ...(await sql`
        select entity, (detail ->> 'entities')::int as entities, jsonb_array_length(detail -> 'keys') as keys
        from imago.log where event = 'sync_failed'`),
    ]).toEqual([{ entity: null, entities: 250, keys: 10 }]);
    // Who failed last is known of each, once, however often it failed.
    await sql`update public.people set city = case when id = 77 then 'poison' else 'moved again' end`;
    expect([
      ...(await sql`
        select count(*)::int as rows, count(distinct entity)::int as entities,
          min(imago.last_failed_sync('trial', entity)) as relation
        from imago.sync_failure`),
    ]).toEqual([{ rows: 250, entities: 250, relation: 'public.people' }]);
    await sql`update public.people set city = 'cured' where id = 77`;
    await forward(sql);
    expect(await townFaults(sql)).toEqual(NO_FAULTS);
    await back(sql);
  });

  test('fails the write of the app where the plan is strict', async () => {
    const { sql } = await town(6, PLAIN, (syncs) => syncs.map((sync) => ({ ...sync, strict: true })));
    await forward(sql);
    const before = await contents(sql, ['public.people', 'public.profiles']);
    const error = await refusal(sql`update public.people set city = 'poison' where id = 2`);
    expect(error).toMatchObject({ code: '23514', constraint_name: 'no_poison' });
    expect(await contents(sql, ['public.people', 'public.profiles'])).toEqual(before);
    expect(await failedSyncs(sql)).toEqual([]);
    await sql`update public.people set city = 'fine' where id = 2`;
    expect(await townFaults(sql)).toEqual(NO_FAULTS);
    await back(sql);
  });

  test('in a transaction leaves the rest of it as it is', async () => {
    const { sql, connect } = await town();
    await forward(sql);
    await connect().begin(async (tx) => {
      await tx`update public.people set city = 'one' where id = 1`;
      await tx`update public.people set city = 'poison' where id = 2`;
      await tx`update public.people set city = 'three' where id = 3`;
      // The other side is there at once.
      expect([...(await tx`select person, city from public.profiles where person <= 3 order by 1`)]).toEqual([
        { person: 1, city: 'one' },
        { person: 2, city: 'city 2' },
        { person: 3, city: 'three' },
      ]);
    });
    await expectOneRowEach(sql);
    await sql`update public.people set city = 'two' where id = 2`;
    await back(sql);
  });
});

describe('sync of the plan avatars while the app goes on', () => {
  async function app(users = 30, columns: { foreignKey?: boolean } = {}): Promise<TestDatabase> {
    const db = await freshDatabase({ app: 'sample', users });
    databases.push(db);
    // A column of the app's own gets no foreign key from the plan.
    if (columns.foreignKey === false) await db.sql`alter table public.posts add column avatar_id uuid`;
    return db;
  }

  const author = (sql: Sql) =>
    value<string>(sql, 'select user_id from public.posts group by user_id order by count(*) desc, 1 limit 1');

  const avatarOf = (sql: Sql, post: string) =>
    value<string | null>(sql, 'select avatar_id from public.posts where body = $1', [post]);

  test('new users are born migrated; new posts and follows get the avatar of their user, and no other row is looked at', async () => {
    const { sql } = await app();
    const original = await allChecksums(sql);
    await migrateAll(sql);
    const id = await author(sql);
    await stopSync(sql);
    await sql`insert into public.posts (user_id, body) values (${id}, 'not seen')`;
    await resumeSync(sql);

    await sql`insert into public.users (username) select 'new_' || n from generate_series(1, 3) n`;
    await sql`insert into public.posts (user_id, body) select id, 'new' from public.users`;
    await sql`insert into public.follows (follower_id, followed_id)
      select a.id, b.id from public.users a join public.users b on a.id <> b.id where b.username like 'new_%'`;
    const [own] = await sql<{ id: string }[]>`
      insert into public.avatars (owner_user_id, name) values (${id}, 'own') returning id`;
    await sql`insert into public.posts (user_id, body, avatar_id) values (${id}, 'under another', ${own?.id ?? ''})`;
    expect(await avatarOf(sql, 'under another')).toBe(own?.id);
    await sql`update public.posts set body = body || '!' where body = 'not seen'`;
    expect(await avatarOf(sql, 'not seen!')).toBeNull();
    expect(await avatarFaults(sql)).toMatchObject({
      posts_without_avatar: 1,
      users_without_active_avatar: 0,
    });
    expect(await failedSyncs(sql)).toEqual([]);

    await migrateAll(sql);
    await expectAllMigrated(sql);
    await sql`delete from public.avatars where name = 'own'`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
    await sql`delete from public.posts where body in ('new', 'under another', 'not seen!')`;
    await sql`delete from public.users where username like 'new_%'`;
    expect(await allChecksums(sql)).toMatchObject(original);
  });

  test('nothing is moved before the first run, nor what is not migrated', async () => {
    const { sql } = await app();
    await prepareAll(sql);
    await sql`insert into public.users (username) values ('early')`;
    await sql`insert into public.posts (user_id, body) select id, 'early' from public.users`;
    expect(await value(sql, 'select count(*)::int from public.avatars')).toBe(0);
    await call(sql, 'migrate_user_to_avatar_centric', { user_id: await author(sql) });
    await sql`insert into public.posts (user_id, body) select id, 'later' from public.users`;
    expect(
      await value(
        sql,
        `select count(*)::int from public.posts where body = 'later' and avatar_id is not null`,
      ),
    ).toBe(1);
    // From an author who is migrated to one who is not.
    await sql`update public.posts set user_id = (select id from public.users where username = 'early')
      where body = 'later' and avatar_id is not null`;
    expect(
      await value(
        sql,
        `select count(*)::int from public.posts where body = 'later' and avatar_id is not null`,
      ),
    ).toBe(0);
    expect(await failedSyncs(sql)).toEqual([]);
    await migrateAll(sql);
    await expectAllMigrated(sql);
    await rollbackAll(sql);
    await expectNoTraces(sql);
  });

  test.each(['authenticated', 'anon'] as const)(
    'writers without rights on Imago, under row level security, are followed: %s',
    async (role) => {
      const { sql, connect } = await app();
      await sql.unsafe(`
      grant insert on public.users, public.posts to anon;
      create policy "visitors write" on public.users for insert to anon with check (true);
      create policy "visitors write" on public.posts for insert to anon with check (true)`);
      await migrateAll(sql);
      const id = 'ffffffff-0000-4000-8000-000000000001';
      const one = connect({ role });
      await one`select set_config('request.jwt.claims', ${JSON.stringify({ sub: id, role })}, false)`;
      // A forged batch silences nothing.
      await one`select set_config('imago.batch', '1', false)`;
      await one`insert into public.users (id, username) values (${id}, 'visitor')`;
      await one`insert into public.posts (user_id, body) values (${id}, 'by a visitor')`;
      expect((await refusal(one`select * from imago.batch`)).code).toBe('42501');
      expect(await failedSyncs(sql)).toEqual([]);
      await expectAllMigrated(sql);
      expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
      expect(await avatarOf(sql, 'by a visitor')).toBeNull();
    },
  );

  test('a user who was rolled back alone is left alone', async () => {
    const { sql } = await app();
    await migrateAll(sql);
    const id = await author(sql);
    await call(sql, 'rollback_user_migration', { user_id: id });
    await sql`insert into public.posts (user_id, body) values (${id}, 'held')`;
    expect(await avatarOf(sql, 'held')).toBeNull();
    expect((await userStates(sql)).get(id)?.written).toEqual(UNTOUCHED);
    await call(sql, 'migrate_user_to_avatar_centric', { user_id: id });
    await expectAllMigrated(sql);
  });

  test('rows that change hands while their sync fails are pending, and get the avatar of their user of now', async () => {
    const { sql } = await app();
    const original = await allChecksums(sql);
    await migrateAll(sql);
    const [from, to, held] = (
      await sql<{ id: string }[]>`select id from public.users order by id limit 3`
    ).map(({ id }) => id);
    await call(sql, 'rollback_user_migration', { user_id: held });
    await sql`insert into public.users (username) values ('reader')`;
    await sql`insert into public.posts (user_id, body) select ${from ?? ''}::uuid, v from unnest(array['given', 'held', 'kept']) v`;
    await sql`insert into public.follows (follower_id, followed_id) select id, ${from ?? ''}::uuid from public.users where username = 'reader'`;
    // The journal of both tables cannot take what a sync writes.
    const journal = async (how: 'disable' | 'enable') => {
      for (const table of ['posts', 'follows']) {
        await sql.unsafe(`alter table public.${table} ${how} trigger "~imago_avatars_update"`);
      }
    };
    await journal('disable');
    await sql`update public.posts set user_id = ${to ?? ''} where body = 'given'`;
    await sql`update public.posts set user_id = ${held ?? ''} where body = 'held'`;
    await sql`update public.follows f set followed_id = ${to ?? ''} from public.users u where u.id = f.follower_id and u.username = 'reader'`;
    await journal('enable');
    expect(await failedSyncs(sql)).toHaveLength(3);
    expect(await avatarFaults(sql)).toMatchObject({
      posts_with_the_avatar_of_another: 2,
      follows_with_the_avatar_of_another: 1,
    });
    expect([...(await sql`select entity from avatars.pending where entity <> ${held ?? ''}`)]).toEqual([
      { entity: to },
    ]);

    await migrateAll(sql);
    expect(await avatarFaults(sql)).toMatchObject({
      posts_with_the_avatar_of_another: 1,
      follows_with_the_avatar_of_another: 0,
    });
    await call(sql, 'migrate_user_to_avatar_centric', { user_id: held });
    await expectAllMigrated(sql);
    expect(await value(sql, 'select count(*)::int from avatars.pending')).toBe(0);
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
    await sql`delete from public.posts where body in ('given', 'held', 'kept')`;
    await sql`delete from public.users where username = 'reader'`;
    expect(await allChecksums(sql)).toMatchObject(original);
  });

  test('while the plan goes back nobody is moved any more, and who is still moved is followed', async () => {
    const { sql } = await app(150);
    const original = await allChecksums(sql);
    await migrateAll(sql, { batch_size: 20 });
    const half = await call(sql, 'rollback_batch', { max_ms: 1 });
    expect(half).toMatchObject({ has_more: true });
    await call(sql, 'pause_migration');
    await sql`insert into public.users (username) values ('late')`;
    await sql`insert into public.posts (user_id, body) select id, 'late' from public.users`;
    expect(await value(sql, `select active_avatar_id from public.users where username = 'late'`)).toBeNull();
    const moved = await value<number>(
      sql,
      'select count(*)::int from public.users where active_avatar_id is not null',
    );
    expect(moved).toBeGreaterThan(0);
    expect(
      await value(
        sql,
        `select count(*)::int from public.posts where body = 'late' and avatar_id is not null`,
      ),
    ).toBe(moved);
    await call(sql, 'resume_migration');
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
    await sql`insert into public.users (username) values ('late')`;
    await sql`delete from public.posts where body = 'late'`;
    await sql`delete from public.users where username = 'late'`;
    expect(await allChecksums(sql)).toMatchObject(original);
  });

  test('a synced row is in no batch of a caller: statistics and history leave it out', async () => {
    const { sql } = await app();
    await migrateAll(sql);
    const look = async () => [
      await call(sql, 'get_migration_performance_stats'),
      await call(sql, 'get_run_history', { points: 5 }),
    ];
    const before = await look();
    await sql`insert into public.users (username) select 'new_' || n from generate_series(1, 3) n`;
    for (let i = 0; i < 3; i++)
      await sql`insert into public.posts (user_id, body) select id, 'new' from public.users`;
    expect(await value(sql, `select count(*)::int from imago.batch where path = 'sync'`)).toBe(4);
    const [performance, history] = await look();
    expect(performance?.batches).toBeGreaterThan(0);
    expect(performance).toMatchObject({
      batches: before[0]?.batches,
      batch_ms: before[0]?.batch_ms,
      rows: before[0]?.rows,
      batch_size_trace: before[0]?.batch_size_trace,
    });
    expect(history).toEqual(before[1]);
    // What is not journaled leaves no batch behind.
    await sql`update public.posts set body = 'edited'`;
    expect(await value(sql, `select count(*)::int from imago.batch where path = 'sync'`)).toBe(4);
  });
});

test('sync of two columns of one row: a rollback judges each column by itself', async () => {
  const db = await freshDatabase();
  databases.push(db);
  const { sql } = db;
  await sql.unsafe(`
    create table public.bookings (id integer primary key, status text, new_status text, kind text);
    insert into public.bookings (id, status) select n, 'open' from generate_series(1, 6) n`);
  await createPlan(sql, {
    table: 'bookings',
    key: 'id',
    keyType: 'integer',
    pending: 's.new_status is distinct from upper(s.status)',
    apply: `update public.bookings b set new_status = upper(status), kind = coalesce(kind, 'plain') where id = any (keys);`,
    writes: [{ relation: 'public.bookings', entity: 'id', columns: ['new_status', 'kind'] }],
    syncs: [
      {
        name: 'status',
        relation: 'public.bookings',
        entity: 'id',
        columns: ['status'],
        creates: true,
        statement: 'select trial.apply(array(select n.id from new_rows n))',
      },
      {
        name: 'new status',
        relation: 'public.bookings',
        entity: 'id',
        events: ['update'],
        columns: ['new_status'],
        direction: 'back',
        statement: `update public.bookings b set status = lower(n.new_status) from new_rows n
          where b.id = n.id and b.status is distinct from lower(n.new_status) returning b.id`,
      },
    ],
  });
  await forward(sql);
  const set = (id: number, what: string) => sql.unsafe(`update public.bookings set ${what} where id = ${id}`);
  await set(1, `status = 'done'`);
  await set(2, `new_status = 'DONE'`);
  await set(2, `status = 'late'`);
  await set(2, `new_status = 'DONE AGAIN'`);
  await set(3, `kind = 'mine'`);
  await set(3, `status = 'done'`);
  await set(4, `new_status = 'DONE', kind = 'mine'`);
  await sql`insert into public.bookings (id, status) values (7, 'born')`;
  expect(await failedSyncs(sql)).toEqual([]);
  expect([...(await sql`select entity from trial.pending`)]).toEqual([]);
  expect(await value(sql, 'select status from public.bookings where id = 2')).toBe('done again');

  expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 2 });
  // The batch of the sync on the third has found the edit and not made it.
  expect(await conflicts(sql)).toEqual(['3 public.bookings changed', '4 public.bookings changed']);
  expect(await contents(sql, ['public.bookings'])).toEqual({
    'public.bookings': [
      '(1,done,,)',
      '(2,"done again",,)',
      '(3,done,DONE,mine)',
      '(4,done,DONE,mine)',
      '(5,open,,)',
      '(6,open,,)',
      '(7,born,,)',
    ],
  });
  expect((await rollbackAll(sql, { plan: PLAN, force: true })).at(-1)).toMatchObject({ state: 'succeeded' });
  expect(await value(sql, 'select count(*)::int from public.bookings where new_status is not null')).toBe(0);
});

test('what syncs have written after a run without a journal is not taken back by half: IM009', async () => {
  const db = await freshDatabase({ app: 'sample', users: 0, avatars: 'prepared' });
  databases.push(db);
  for (;;) if (!(await call(db.sql, 'migrate_batch', { backup: false })).has_more) break;
  await db.sql`insert into public.users (username) values ('new')`;
  await expectAllMigrated(db.sql);
  expect((await refusal(call(db.sql, 'rollback_batch'))).code).toBe('IM009');
});

test('sync after a rollback: a fix of findings counts neither as a run nor as its end', async () => {
  const db = await freshDatabase({ app: 'sample', users: 5 });
  databases.push(db);
  const { sql } = db;
  await migrateAll(sql);
  await sql`update public.avatars set name = 'mine' where id = (select id from public.avatars limit 1)`;
  expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'failed', conflicts: 1 });
  await sql`insert into imago.run (plan, direction, state, validation) values ('avatars', 'forward', 'succeeded', 1)`;
  // The plan goes back all the same.
  await sql`insert into public.users (username) values ('new')`;
  expect(await value(sql, `select active_avatar_id from public.users where username = 'new'`)).toBeNull();
});

test('sync of writes straight to a partition: they are followed, and go back', async () => {
  const { sql } = await town(6, QUOTED);
  await writeToPartitions(sql);
});
