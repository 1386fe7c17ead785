import type { Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import {
  allChecksums,
  expectNoTraces,
  expectNothingDangles,
  UNTOUCHED,
  userStates,
} from '../support/state.ts';
import { stopSync } from '../support/sync.ts';
import { pidOf, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

/** What the databases of these tests are copies of: prepared for the plan, or migrated by it. */
const templates: Partial<Record<'prepared' | 'migrated', string>> = {};
const kept: TestDatabase[] = [];

beforeAll(async () => {
  for (const state of ['prepared', 'migrated'] as const) {
    const db = await freshDatabase({ app: 'sample', users: 40 });
    kept.push(db);
    await prepareAll(db.sql);
    if (state === 'migrated') await migrateAll(db.sql);
    await db.sql.end();
    templates[state] = db.name;
  }
});

afterAll(async () => {
  await Promise.all(kept.map((db) => db.drop()));
});

/** The sample app, with waits that are short, or long where a wait is to end by what the other does. */
async function database(
  state: 'prepared' | 'migrated',
  waits: 'short' | 'long' = 'short',
): Promise<TestDatabase> {
  const template = templates[state];
  const db = await freshDatabase(template ? { template } : {});
  databases.push(db);
  await wait(db, waits);
  return db;
}

const wait = (db: TestDatabase, waits: 'short' | 'long') => db.sql`
  update imago.setting set value = ${waits === 'short' ? '60' : '20000'}
  where name in ('lock_timeout_ms', 'state_lock_timeout_ms')`;

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** A session with an open transaction. */
async function transaction(db: TestDatabase): Promise<Sql> {
  const one = db.connect();
  await one`begin`;
  return one;
}

/** Starts a statement that will wait for somebody's lock, and returns when it does. */
async function waiting<T>(
  db: TestDatabase,
  statement: (one: Sql) => Promise<T>,
): Promise<{ answer: Promise<T> }> {
  const one = db.connect();
  const pid = await pidOf(one);
  const answer = statement(one);
  answer.catch(() => {});
  await untilBlocked(db.sql, pid);
  return { answer };
}

/** Users who have posts and are followed, those with the most posts first, and their avatars once they have one. */
const authors = (sql: Sql) => sql<{ id: string; avatar: string }[]>`
  select u.id, u.active_avatar_id as avatar from public.users u
  where exists (select from public.follows f where f.followed_id = u.id)
    and exists (select from public.posts p where p.user_id = u.id)
  order by (select count(*) from public.posts p where p.user_id = u.id) desc, u.id`;

async function author(sql: Sql): Promise<{ id: string; avatar: string }> {
  const [row] = await authors(sql);
  if (!row) throw new Error('nobody has posts and followers');
  return row;
}

/** Calls until the answer has this status. */
async function callUntil(sql: Sql, name: string, status: string): Promise<Answer> {
  for (let calls = 0; calls < 100; calls++) {
    const answer = await call(sql, name);
    if (answer.status === status) return answer;
    if (!answer.has_more) throw new Error(`${name} ended as ${answer.status}, never ${status}`);
  }
  throw new Error(`${name} was never ${status}`);
}

const conflicts = async (sql: Sql) => [
  ...(await sql<{ entity: string; relation: string; reason: string }[]>`
    select distinct entity, table_name as relation, reason from imago.failure where kind = 'conflict' order by 1, 2, 3`),
];

describe('a transaction that adds rows, which no sync sees, to a user who is being migrated', () => {
  test('is waited for, and its post and follow are found', async () => {
    const db = await database('prepared');
    const { sql } = db;
    await stopSync(sql);
    const { id } = await author(sql);
    const app = await transaction(db);
    await app`insert into public.posts (user_id, body) values (${id}, 'in flight')`;
    await app`insert into public.follows (follower_id, followed_id)
      select u.id, ${id} from public.users u
      where u.id <> ${id} and not exists (select from public.follows f where f.follower_id = u.id and f.followed_id = ${id}) limit 1`;
    expect(await callUntil(sql, 'migrate_batch', 'deferred')).toMatchObject({ has_more: true });
    await expectAllMigrated(sql);
    await app`commit`;
    await migrateAll(sql);
    await expectAllMigrated(sql);
    expect(await value(sql, `select count(*)::int from public.posts where body = 'in flight'`)).toBe(1);
  });

  test.each([
    ['canary', (sql: Sql, id: string) => call(sql, 'migrate_user_to_avatar_centric', { user_id: id })],
    ['window', (sql: Sql) => call(sql, 'migrate_users_batch', { batch_size: 40 })],
  ])('is found by a later call: %s', async (_, move) => {
    const db = await database('prepared');
    const { sql } = db;
    await stopSync(sql);
    const { id } = await author(sql);
    const app = await transaction(db);
    await app`insert into public.posts (user_id, body) values (${id}, 'in flight')`;
    await move(sql, id);
    expect((await userStates(sql)).get(id)?.written.active).not.toBeNull();
    await app`commit`;
    expect(
      await value(sql, 'select count(*)::int from public.posts where avatar_id is null and user_id = $1', [
        id,
      ]),
    ).toBe(1);
    await migrateAll(sql);
    await expectAllMigrated(sql);
  });

  test('and stays open for too long is found by the next run', async () => {
    const db = await database('prepared');
    const { sql } = db;
    await stopSync(sql);
    await sql`update imago.setting set value = '1' where name = 'writer_wait_ms'`;
    const original = await allChecksums(sql);
    const { id } = await author(sql);
    const app = await transaction(db);
    await app`insert into public.posts (user_id, body) values (${id}, 'in flight')`;
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await app`commit`;
    expect(await call(sql, 'get_migration_statistics')).toMatchObject({ users_needing_migration: 1 });
    expect((await migrateAll(sql)).reduce((sum, answer) => sum + answer.migrated, 0)).toBe(1);
    await expectAllMigrated(sql);
    await rollbackAll(sql);
    await sql`delete from public.posts where body = 'in flight'`;
    expect(await allChecksums(sql)).toMatchObject(original);
  });
});

describe('a transaction that refers to an avatar that is being rolled back', () => {
  const BADGES =
    'create table public.badges (id int primary key, avatar uuid not null references public.avatars (id) on delete cascade)';

  test('keeps the avatar once it has committed: nothing of the app cascades', async () => {
    const db = await database('migrated');
    const { sql } = db;
    await sql.unsafe(BADGES);
    const { id, avatar } = await author(sql);
    const before = await userStates(sql);
    const app = await transaction(db);
    await app`insert into public.badges values (1, ${avatar})`;
    expect((await refusal(call(sql, 'rollback_user_migration', { user_id: id }))).code).toBe('IM025');
    await callUntil(sql, 'rollback_batch', 'deferred');
    await app`commit`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ status: 'done', conflicts: 1 });
    expect(await conflicts(sql)).toEqual([
      { entity: id, relation: 'public.avatars', reason: 'referenced by public.badges' },
    ]);
    expect([...(await sql`select avatar from public.badges`)]).toEqual([{ avatar }]);
    for (const [user, state] of await userStates(sql)) {
      expect(state).toEqual(
        user === id ? before.get(user) : { own: before.get(user)?.own, written: UNTOUCHED },
      );
    }
    await expectNothingDangles(sql);
  });

  test('and is then rolled back itself does not keep the avatar', async () => {
    const db = await database('prepared');
    const { sql } = db;
    const original = await allChecksums(sql);
    await migrateAll(sql);
    await sql.unsafe(BADGES);
    const app = await transaction(db);
    await app`insert into public.badges values (1, ${(await author(sql)).avatar})`;
    await callUntil(sql, 'rollback_batch', 'deferred');
    await app`rollback`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
  });

  test('keeps the avatar also when the rollback has waited for it', async () => {
    const db = await database('migrated', 'long');
    const { sql } = db;
    await sql.unsafe(BADGES);
    const { id, avatar } = await author(sql);
    const app = await transaction(db);
    await app`insert into public.badges values (1, ${avatar})`;
    const { answer } = await waiting(db, (one) => call(one, 'rollback_user_migration', { user_id: id }));
    await app`commit`;
    expect(await answer).toMatchObject({
      rolled_back: false,
      conflicts: [{ relation: 'public.avatars', key: avatar, reason: 'referenced by public.badges' }],
    });
    expect([...(await sql`select avatar from public.badges`)]).toEqual([{ avatar }]);
  });

  test('by a post loses the reference, not the post', async () => {
    const db = await database('migrated');
    const { sql } = db;
    const { id, avatar } = await author(sql);
    const app = await transaction(db);
    await app`insert into public.posts (user_id, body, avatar_id) values (${id}, 'in flight', ${avatar})`;
    await callUntil(sql, 'rollback_batch', 'deferred');
    await app`commit`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect([...(await sql`select avatar_id from public.posts where body = 'in flight'`)]).toEqual([
      { avatar_id: null },
    ]);
    await expectNothingDangles(sql);
    await expectNoTraces(sql);
  });

  test('for longer than the rollback waits is set aside, and nothing else is', async () => {
    const db = await database('migrated');
    const { sql } = db;
    const { id, avatar } = await author(sql);
    const app = await transaction(db);
    await app`insert into public.posts (user_id, body, avatar_id) values (${id}, 'in flight', ${avatar})`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 1,
    });
    expect([...(await sql`select entity, kind from imago.failure`)]).toEqual([
      { entity: id, kind: 'deferred' },
    ]);
    for (const [user, state] of await userStates(sql)) {
      expect({ user, back: state.written.active === null }).toEqual({ user, back: user !== id });
    }
    await app`commit`;
    await call(sql, 'retry_failed_migrations');
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', failures_left: 0 });
    await expectNothingDangles(sql);
    await expectNoTraces(sql);
  });

  test.each([
    ['a row that cascades', (avatar: string) => `insert into public.badges values (1, '${avatar}')`],
    [
      'a post',
      (avatar: string) =>
        `insert into public.posts (user_id, body, avatar_id)
         select owner_user_id, 'late', id from public.avatars where id = '${avatar}'`,
    ],
    [
      'an active avatar',
      (avatar: string) =>
        `update public.users set active_avatar_id = '${avatar}'
         where id = (select owner_user_id from public.avatars where id = '${avatar}')`,
    ],
  ])(
    'and comes after the rollback has begun is refused, or let through when that is undone: %s',
    async (_, statement) => {
      const db = await database('migrated', 'long');
      const { sql } = db;
      await sql.unsafe(BADGES);
      const { id, avatar } = await author(sql);

      const undone = await transaction(db);
      expect(await call(undone, 'rollback_user_migration', { user_id: id })).toMatchObject({
        rolled_back: true,
      });
      const through = await waiting(db, (one) => one.begin((tx) => tx.unsafe(statement(avatar))));
      await undone`rollback`;
      expect((await through.answer).count).toBeGreaterThan(0);
      await expectNothingDangles(sql);
      await sql`delete from public.badges`;

      const done = await transaction(db);
      expect(await call(done, 'rollback_user_migration', { user_id: id, force: true })).toMatchObject({
        rolled_back: true,
      });
      const refused = await waiting(db, (one) => one.begin((tx) => tx.unsafe(statement(avatar))));
      await done`commit`;
      expect((await refusal(refused.answer)).code).toBe('23503');
      await expectNothingDangles(sql);
    },
  );
});

describe('a transaction that changes what is being rolled back', () => {
  /** A statement of the app, and the conflict that it makes once committed. */
  const CHANGES: [name: string, statement: string, conflict: string | null][] = [
    [
      'renames the avatar',
      `update public.avatars set name = 'mine' where owner_user_id = $1 and id = $2`,
      'public.avatars edited',
    ],
    [
      'activates another avatar',
      `with own as (insert into public.avatars (owner_user_id, name) values ($1, 'own') returning id)
       update public.users set active_avatar_id = own.id from own where users.id = $1 and $2::uuid is not null`,
      'public.users changed',
    ],
    [
      'gives a post another avatar',
      `with own as (insert into public.avatars (owner_user_id, name) values ($1, 'own') returning id)
       update public.posts set avatar_id = own.id from own where user_id = $1 and $2::uuid is not null`,
      'public.posts changed',
    ],
    ['edits posts', `update public.posts set body = 'edited' where user_id = $1 and avatar_id = $2`, null],
    ['deletes posts', `delete from public.posts where user_id = $1 and avatar_id = $2`, null],
    [
      'takes the avatar off the posts',
      `update public.posts set avatar_id = null where user_id = $1 and avatar_id = $2`,
      null,
    ],
    ['deletes the avatar', `delete from public.avatars where owner_user_id = $1 and id = $2`, null],
    ['deletes the user', `delete from public.users where id = $1 and active_avatar_id = $2`, null],
  ];

  test.each(['short', 'long'] as const)(
    'waits or is waited for, and then counts: %s waits',
    async (waits) => {
      const db = await database('migrated', waits);
      const { sql } = db;
      const users = await authors(sql);
      expect(users.length).toBeGreaterThan(CHANGES.length);
      const changed = CHANGES.map(([, statement, conflict], i) => ({
        ...(users[i] as { id: string; avatar: string }),
        statement,
        conflict,
      }));
      const app = await transaction(db);
      for (const { id, avatar, statement } of changed) {
        expect((await app.unsafe(statement, [id, avatar])).count, statement).toBeGreaterThan(0);
      }
      if (waits === 'short') {
        await callUntil(sql, 'rollback_batch', 'deferred');
        await app`commit`;
      } else {
        const { answer } = await waiting(db, (one) => call(one, 'rollback_batch'));
        await app`commit`;
        expect(['working', 'deferred', 'done']).toContain((await answer).status);
      }
      const before = await userStates(sql);
      const expected = changed
        .filter(({ conflict }) => conflict)
        .map(({ id, conflict }) => `${id} ${conflict}`)
        .sort();
      const last = (await rollbackAll(sql)).at(-1);
      expect(last).toMatchObject({ status: 'done', state: 'failed', conflicts: expected.length });
      expect((await conflicts(sql)).map((c) => `${c.entity} ${c.relation} ${c.reason}`).sort()).toEqual(
        expected,
      );
      for (const [user, state] of await userStates(sql)) {
        if (expected.some((text) => text.startsWith(user))) expect(state).toEqual(before.get(user));
        else expect(state.written).toEqual(UNTOUCHED);
      }
      await expectNothingDangles(sql);
    },
  );
});

describe('two movers on one user', () => {
  /** Each moves the user and leaves others, so that it does not end the run. */
  const PATHS: [string, (sql: Sql, user: { id: string; place: number }) => Promise<Answer>][] = [
    ['lane', (sql) => call(sql, 'migrate_batch', { batch_size: 100, max_ms: 1 })],
    [
      'window',
      (sql, { place }) =>
        call(sql, 'migrate_users_batch', { batch_size: 15, batch_offset: place - (place % 15) }),
    ],
    ['canary', (sql, { id }) => call(sql, 'migrate_user_to_avatar_centric', { user_id: id })],
  ];
  const PAIRS = PATHS.flatMap(([one, first]) =>
    PATHS.map(([two, second]) => ({ one, first, two, second })),
  ).filter(({ one, two }) => one !== 'lane' || two !== 'lane');

  test.each(PAIRS)('$one first, then $two: the user is moved once', async ({ one, first, two, second }) => {
    const db = await database('prepared');
    const { sql } = db;
    const original = await allChecksums(sql);
    const { id } = await author(sql);
    for (const waits of ['short', 'long'] as const) {
      await wait(db, waits);
      // Once more, after the rollback of the first round.
      await prepareAll(sql);
      const place = await value<number>(sql, 'select count(*)::int from public.users where id < $1', [id]);
      const user = { id, place };
      // The run is there before either of them, as it is when a migration is under way.
      const starter = await value<string>(
        sql,
        'select id from public.users where id <> $1 order by id limit 1',
        [id],
      );
      await call(sql, 'migrate_user_to_avatar_centric', { user_id: starter });

      const holder = await transaction(db);
      await first(holder, user);
      expect((await userStates(holder)).get(id)?.written.active).not.toBeNull();
      if (waits === 'long') {
        const { answer } = await waiting(db, (other) => second(other, user));
        await holder`commit`;
        expect(await answer).toMatchObject(
          two === 'canary' ? { migrated: false, skipped: true } : { failed: 0 },
        );
      } else if (two === 'canary') {
        expect((await refusal(second(sql, user))).code).toBe('IM025');
        await holder`commit`;
      } else {
        const answer = await second(sql, user);
        expect(['working', 'deferred', 'busy']).toContain(answer.status);
        await holder`commit`;
      }
      expect((await migrateAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', failures_left: 0 });
      await expectAllMigrated(sql);
      await rollbackAll(sql);
      expect({ one, two, waits, ...(await allChecksums(sql)) }).toMatchObject(original);
      await expectNoTraces(sql);
    }
  });

  test('two rollbacks of one user: the second finds nothing left', async () => {
    const db = await database('migrated', 'long');
    const { sql } = db;
    const { id } = await author(sql);
    const holder = await transaction(db);
    expect(await call(holder, 'rollback_user_migration', { user_id: id })).toMatchObject({
      rolled_back: true,
    });
    const { answer } = await waiting(db, (one) => call(one, 'rollback_user_migration', { user_id: id }));
    await holder`commit`;
    expect(await answer).toMatchObject({ conflicts: [], restored: {}, removed: {} });
    expect((await userStates(sql)).get(id)?.written).toEqual(UNTOUCHED);
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
  });
});

describe('a change of direction while a batch is in flight', () => {
  test('rollback_batch is busy until the forward batch has ended, then works', async () => {
    const db = await database('prepared');
    const { sql } = db;
    const original = await allChecksums(sql);
    await call(sql, 'migrate_batch', { batch_size: 10, max_ms: 1 });
    const holder = await transaction(db);
    expect(await call(holder, 'migrate_batch', { batch_size: 10, max_ms: 1 })).toMatchObject({
      migrated: 10,
    });

    expect(await call(sql, 'rollback_batch')).toMatchObject({
      status: 'busy',
      has_more: true,
      rolled_back: 0,
    });
    expect((await refusal(call(sql, 'rollback_all_migrations'))).code).toBe('IM016');
    await holder`commit`;
    const answers = await rollbackAll(sql);
    expect(answers.reduce((sum, answer) => sum + answer.rolled_back, 0)).toBe(20);
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
  });

  test('a rollback that waits takes back what the batch in flight commits', async () => {
    const db = await database('prepared', 'long');
    const { sql } = db;
    const original = await allChecksums(sql);
    await call(sql, 'migrate_batch', { batch_size: 10, max_ms: 1 });
    const holder = await transaction(db);
    await call(holder, 'migrate_batch', { batch_size: 10, max_ms: 1 });
    const { answer } = await waiting(db, (one) => call(one, 'rollback_batch'));
    await holder`commit`;
    const rest = (await answer).has_more ? await rollbackAll(sql) : [];
    expect([await answer, ...rest].reduce((sum, one) => sum + one.rolled_back, 0)).toBe(20);
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
  });

  test('migrate_batch is busy while a rollback begins, then refused', async () => {
    const db = await database('migrated');
    const { sql } = db;
    const holder = await transaction(db);
    expect(await call(holder, 'rollback_batch', { max_ms: 1 })).toMatchObject({ has_more: true });
    const meanwhile = await call(sql, 'migrate_batch').catch((error) => error);
    expect(['busy', 'IM016']).toContain(meanwhile.status ?? meanwhile.code);
    await holder`commit`;
    for (const name of ['migrate_batch', 'migrate_users_batch']) {
      expect((await refusal(call(sql, name))).code).toBe('IM017');
    }
    await rollbackAll(sql);
    await expectNoTraces(sql);
  });

  test('a user rolled back alone while the batch that moves them is in flight goes back after it', async () => {
    const db = await database('prepared', 'long');
    const { sql } = db;
    const { id } = await author(sql);
    await call(sql, 'migrate_user_to_avatar_centric', {
      user_id: await value(sql, 'select id from public.users where id <> $1 order by id limit 1', [id]),
    });
    const holder = await transaction(db);
    await call(holder, 'migrate_batch', { batch_size: 100 });
    const { answer } = await waiting(db, (one) => call(one, 'rollback_user_migration', { user_id: id }));
    await holder`commit`;
    expect(await answer).toMatchObject({ rolled_back: true, conflicts: [] });
    expect((await userStates(sql)).get(id)?.written).toEqual(UNTOUCHED);
  });

  test('a user rolled back alone while they are being moved alone goes back after it, or the call says who has them', async () => {
    for (const waits of ['long', 'short'] as const) {
      const db = await database('prepared', waits);
      const { sql } = db;
      const { id } = await author(sql);
      await call(sql, 'migrate_user_to_avatar_centric', {
        user_id: await value(sql, 'select id from public.users where id <> $1 order by id limit 1', [id]),
      });
      const holder = await transaction(db);
      await call(holder, 'migrate_user_to_avatar_centric', { user_id: id });
      if (waits === 'short') {
        expect((await refusal(call(sql, 'rollback_user_migration', { user_id: id }))).code).toBe('IM025');
        await holder`rollback`;
        continue;
      }
      const { answer } = await waiting(db, (one) => call(one, 'rollback_user_migration', { user_id: id }));
      await holder`commit`;
      expect(await answer).toMatchObject({ rolled_back: true, conflicts: [] });
      expect((await userStates(sql)).get(id)?.written).toEqual(UNTOUCHED);
    }
  });

  test('the end of a rollback waits for a table to be free, in one transaction not for ever', async () => {
    const db = await database('migrated');
    const { sql } = db;
    const migrated = await userStates(sql);
    const app = await transaction(db);
    // What it writes belongs to no entity.
    await app`delete from public.posts where false`;
    expect((await refusal(call(sql, 'rollback_all_migrations'))).code).toBe('IM016');
    expect(await userStates(sql)).toEqual(migrated);
    expect(await callUntil(sql, 'rollback_batch', 'deferred')).toMatchObject({ has_more: true });
    for (const state of (await userStates(sql)).values()) expect(state.written).toEqual(UNTOUCHED);
    await app`commit`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
  });
});
