import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { APPS, busyUsers, rollbackUser } from '../support/rollback.ts';
import {
  allChecksums,
  expectNoTraces,
  expectNothingDangles,
  journalRows,
  UNTOUCHED,
  userStates,
} from '../support/state.ts';
import { resumeSync, stopSync } from '../support/sync.ts';

const databases: TestDatabase[] = [];

async function database(
  app: 'sample' | 'guide',
  users: number,
  avatars?: 'prepared' | 'migrated',
): Promise<TestDatabase> {
  const db = await freshDatabase({ app, users, ...(avatars && { avatars }) });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const progress = (sql: Sql) => call(sql, 'get_detailed_migration_progress');
/** The avatar that is active for a user. */
const activeAvatar = (sql: Sql, user: string) =>
  value<string>(sql, 'select active_avatar_id from public.users where id = $1', [user]);

/** Conflicts as the engine has written them down: entity, relation, key and reason. */
const conflicts = async (sql: Sql) => [
  ...(await sql<{ entity: string; relation: string; key: string; reason: string }[]>`
    select entity, table_name as relation, row_key as key, reason from imago.failure where kind = 'conflict' order by 1, 2, 3, 4`),
];

/** An avatar that a user makes himself, with everything that either app wants. */
async function makeAvatar(sql: Sql, owner: string): Promise<string> {
  const needed = await value<boolean>(
    sql,
    `select exists (select from pg_attribute where attrelid = 'public.avatars'::regclass and attname = 'personality_prompt')`,
  );
  const [row] = needed
    ? await sql<{ id: string }[]>`
        insert into public.avatars (owner_user_id, name, bio, niche, personality_traits, personality_prompt)
        values (${owner}, 'own', '', 'music', '{}', '') returning id`
    : await sql<
        { id: string }[]
      >`insert into public.avatars (owner_user_id, name) values (${owner}, 'own') returning id`;
  return row?.id ?? '';
}

/** Forward calls of at most one small batch each. */
async function forwardCalls(sql: Sql, calls: number, size: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < calls; i++) {
    answers.push(await call(sql, 'migrate_batch', { max_ms: 1, batch_size: size }));
  }
  return answers;
}

describe.each(APPS)('the $app app', (app) => {
  test('is as it was after forward and rollback, again and again', async () => {
    const { sql } = await database(app.app, 60);
    const original = await allChecksums(sql);
    for (let round = 0; round < 2; round++) {
      expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', failures_left: 0 });
      await expectAllMigrated(sql, app);
      const users = await value<number>(sql, 'select count(*)::int from public.users');
      const answers = await rollbackAll(sql);
      expect(answers.at(-1)).toMatchObject({
        status: 'done',
        state: 'succeeded',
        conflicts: 0,
        failures_left: 0,
      });
      expect(answers.reduce((sum, answer) => sum + answer.rolled_back, 0)).toBe(users);
      expect(await allChecksums(sql)).toMatchObject(original);
      for (const state of (await userStates(sql, app)).values()) expect(state.written).toEqual(UNTOUCHED);
      await expectNoTraces(sql);
    }
  });

  test.each(app.app === 'guide' ? [3] : [1, 7])(
    'is as it was after %i small batches and a rollback',
    async (calls) => {
      const { sql } = await database(app.app, 160, 'prepared');
      const original = await allChecksums(sql);
      const answers = await forwardCalls(sql, calls, 9);
      const moved = answers.reduce((sum, answer) => sum + answer.migrated, 0);
      expect(moved).toBeGreaterThan(0);
      expect(moved).toBeLessThan(160);
      expect(await allChecksums(sql)).not.toEqual(original);
      expect((await rollbackAll(sql)).reduce((sum, answer) => sum + answer.rolled_back, 0)).toBe(moved);
      expect(await allChecksums(sql)).toMatchObject(original);
      await expectNoTraces(sql);
    },
  );

  test('moves forward again after half a rollback, and goes back whole', async () => {
    const { sql } = await database(app.app, 160, 'prepared');
    const original = await allChecksums(sql);
    await migrateAll(sql, { batch_size: 20 });
    const half = await call(sql, 'rollback_batch', { max_ms: 1 });
    expect(half).toMatchObject({ status: 'working', has_more: true });
    expect(half.rolled_back).toBeLessThan(160);
    expect((await refusal(call(sql, 'migrate_batch'))).code).toBe('IM017');
    await call(sql, 'cancel_migration');
    await migrateAll(sql);
    await expectAllMigrated(sql, app);
    await rollbackAll(sql);
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
  });

  test('gives each user back whole or not at all when it has changed in between', async () => {
    const { sql } = await database(app.app, 160, 'prepared');
    await migrateAll(sql, { batch_size: 40 });
    const users = await busyUsers(sql, app);
    expect(users.length).toBeGreaterThan(16);
    const take = () => users.shift() ?? '';
    const expected: { entity: string; relation: string; reason: string }[] = [];
    const conflict = (entity: string, relation: string, reason: string) =>
      expected.push({ entity, relation: `public.${relation}`, reason });

    // What is no conflict: columns that the plan does not write, rows that are gone, rows that are new.
    const editsHimself = take();
    await sql`update public.users set bio = 'new', username = 'new name' where id = ${editsHimself}`;
    const editsPosts = take();
    await sql`update public.posts set ${sql(app.body)} = 'new' where ${sql(app.author)} = ${editsPosts}`;
    const deletesPosts = take();
    await sql`delete from public.posts where ${sql(app.author)} = ${deletesPosts}`;
    const unfollowed = take();
    await sql`delete from public.follows where ${sql(app.followed)} = ${unfollowed}`;
    const deletesAvatar = take();
    await sql`delete from public.avatars where owner_user_id = ${deletesAvatar}`;
    const leaves = take();
    await sql`delete from public.users where id = ${leaves}`;
    const writes = take();
    const written = await value<string>(
      sql,
      `insert into public.posts (${app.author}, ${app.body}, avatar_id) values ($1, 'since', $2) returning id`,
      [writes, await activeAvatar(sql, writes)],
    );
    const writesElsewhere = take();
    const elsewhere = await value<string>(
      sql,
      `insert into public.posts (${app.author}, ${app.body}, avatar_id) values ($1, 'since', $2) returning id`,
      [take(), await activeAvatar(sql, writesElsewhere)],
    );
    const givesAway = take();
    const receives = take();
    await sql`update public.posts set ${sql(app.author)} = ${receives} where ${sql(app.author)} = ${givesAway}`;
    // A user that sync did not see: all their avatars are the app's.
    await stopSync(sql);
    const newcomer = await value<string>(
      sql,
      `insert into public.users (username) values ('newcomer') returning id`,
    );
    await resumeSync(sql);
    await sql`update public.users set active_avatar_id = ${await makeAvatar(sql, newcomer)} where id = ${newcomer}`;

    // What is one.
    const renames = take();
    await sql`update public.avatars set name = 'renamed' where owner_user_id = ${renames}`;
    conflict(renames, 'avatars', 'edited');
    const activates = take();
    await sql`update public.users set active_avatar_id = ${await makeAvatar(sql, activates)} where id = ${activates}`;
    conflict(activates, 'users', 'changed');
    const moves = take();
    const second = await makeAvatar(sql, moves);
    const moved =
      await sql`update public.posts set avatar_id = ${second} where ${sql(app.author)} = ${moves}`;
    for (let i = 0; i < moved.count; i++) conflict(moves, 'posts', 'changed');
    const borrowed = take();
    const borrows = take();
    const [borrower] = await sql`
      update public.posts set avatar_id = ${await activeAvatar(sql, borrowed)}
      where id = (select id from public.posts where ${sql(app.author)} = ${borrows} order by id limit 1) returning id`;
    expect(borrower).toBeDefined();
    conflict(borrowed, 'avatars', 'referenced by public.posts');
    conflict(borrows, 'posts', 'changed');

    const before = await userStates(sql, app);
    const sums = await allChecksums(sql);
    const answer = (await rollbackAll(sql)).at(-1);
    expect(answer).toMatchObject({
      status: 'done',
      state: 'failed',
      conflicts: new Set(expected.map((c) => c.entity)).size,
    });

    const order = (list: { entity: string; relation: string; reason: string }[]) =>
      list.map(({ entity, relation, reason }) => `${entity} ${relation} ${reason}`).sort();
    expect(order(await conflicts(sql))).toEqual(order(expected));
    const after = await userStates(sql, app);
    const stay = new Set(expected.map((c) => c.entity));
    for (const [user, state] of after) {
      if (stay.has(user) || user === newcomer) expect(state).toEqual(before.get(user));
      else expect(state).toEqual({ own: before.get(user)?.own, written: UNTOUCHED });
    }
    expect(after.has(leaves)).toBe(false);
    for (const post of [written, elsewhere]) {
      expect(await value(sql, 'select avatar_id from public.posts where id = $1', [post])).toBeNull();
    }
    const { avatars: _, ...others } = await allChecksums(sql);
    expect(sums).toMatchObject(others);
    await expectNothingDangles(sql);

    // Force puts declared columns back and takes edited avatars away; the app's own rows stay.
    const forced = (await rollbackAll(sql, { force: true })).at(-1);
    expect(forced).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0, failures_left: 0 });
    for (const [user, state] of await userStates(sql, app)) {
      if (user === newcomer) expect(state).toEqual(before.get(user));
      else expect(state).toEqual({ own: before.get(user)?.own, written: UNTOUCHED });
    }
    expect(await value(sql, 'select count(*)::int from public.avatars where id = $1', [second])).toBe(1);
    await expectNothingDangles(sql);
    await expectNoTraces(sql);
  });

  test('keeps its own avatars: those are activated, and only that is taken back', async () => {
    const { sql } = await database(app.app, 60, 'prepared');
    const [user] = await sql<{ id: string }[]>`
      select id from public.users u where not exists (select from public.avatars a where a.owner_user_id = u.id)
      order by id limit 1`;
    const own = await makeAvatar(sql, user?.id ?? '');
    const original = await allChecksums(sql);
    await migrateAll(sql);
    expect(await activeAvatar(sql, user?.id ?? '')).toBe(own);
    const post = await value<string>(
      sql,
      `insert into public.posts (${app.author}, ${app.body}, avatar_id) values ($1, 'since', $2) returning id`,
      [user?.id, own],
    );
    await rollbackAll(sql);
    // A post written since under an avatar that stays keeps it.
    expect(await value(sql, 'select avatar_id from public.posts where id = $1', [post])).toBe(own);
    await sql`delete from public.posts where id = ${post}`;
    expect(await allChecksums(sql)).toEqual(original);
  });

  test('goes back whole after a retry and after a second run', async () => {
    const { sql } = await database(app.app, 60, 'prepared');
    const original = await allChecksums(sql);
    await sql`alter table public.avatars add constraint poison check (name <> 'poison')`;
    const [poisoned] = await sql<{ id: string; display_name: string | null; updated_at: string }[]>`
      select id, display_name, updated_at::text from public.users u
      where not exists (select from public.avatars a where a.owner_user_id = u.id) order by id offset 7 limit 1`;
    const { id, display_name, updated_at } = poisoned ?? { id: '', display_name: '', updated_at: '' };
    await sql`alter table public.users disable trigger user`;
    await sql`update public.users set display_name = 'poison' where id = ${id}`;
    await sql`alter table public.users enable trigger user`;
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ state: 'failed', failures_left: 1 });
    await sql`alter table public.users disable trigger user`;
    await sql`update public.users set display_name = ${display_name} where id = ${id}`;
    await sql`alter table public.users enable trigger user`;
    expect(await value(sql, 'select updated_at::text from public.users where id = $1', [id])).toBe(
      updated_at,
    );
    await call(sql, 'retry_failed_migrations');
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', failures_left: 0 });

    await stopSync(sql);
    const [newcomer] = await sql<{ id: string }[]>`
      insert into public.users (username) values ('later') returning id`;
    const before = await allChecksums(sql);
    const secondRun = await migrateAll(sql);
    expect(secondRun.reduce((sum, answer) => sum + answer.migrated, 0)).toBe(1);
    await expectAllMigrated(sql, app);
    await rollbackAll(sql);
    expect((await allChecksums(sql)).users).toBe(before.users);
    await sql`delete from public.users where id = ${newcomer?.id ?? ''}`;
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
  });

  test('goes back whole with random activity of the app in between', async () => {
    const { sql } = await database(app.app, 160, 'prepared');
    await forwardCalls(sql, 3, 13);
    await randomActivity(sql, app, 0.2);
    await migrateAll(sql, { batch_size: 17 });
    await randomActivity(sql, app, 0.7);
    const before = await userStates(sql, app);
    await rollbackAll(sql);
    const stay = new Set((await conflicts(sql)).map((c) => c.entity));
    expect(stay.size).toBeGreaterThan(0);
    const after = await userStates(sql, app);
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    let restored = 0;
    for (const [user, state] of after) {
      if (stay.has(user)) expect(state).toEqual(before.get(user));
      else {
        expect(state.own).toEqual(before.get(user)?.own);
        expect(state.written).toEqual(UNTOUCHED);
        restored++;
      }
    }
    expect(restored).toBeGreaterThan(0);
    await expectNothingDangles(sql);

    await rollbackAll(sql, { force: true });
    for (const [user, state] of await userStates(sql, app)) {
      expect(state).toEqual({ own: before.get(user)?.own, written: UNTOUCHED });
    }
    await expectNoTraces(sql);
  });
});

/** What people do, spread over users and posts by a hash, so that it is the same each time. */
async function randomActivity(sql: Sql, app: (typeof APPS)[number], salt: number): Promise<void> {
  const some = (share: number, kind: string, key = 'id') =>
    `abs(hashtextextended(${key}::text || '${kind}', ${Math.round(salt * 100)})) % 1000 < ${share * 1000}`;
  await sql.unsafe(`
    update public.users set bio = 'edited ${salt}' where ${some(0.1, 'bio')};
    update public.avatars set name = name || ' ${salt}' where ${some(0.06, 'name', 'owner_user_id')} and metadata @> '{"migrated": true}';
    delete from public.posts where ${some(0.1, 'delete')};
    update public.posts set avatar_id = null where ${some(0.05, 'detach')};
    update public.users set active_avatar_id = null where ${some(0.05, 'deactivate')};
    insert into public.posts (${app.author}, ${app.body}, avatar_id)
      select u.id, 'new ${salt}', a.id from public.users u
      join public.avatars a on a.id = u.active_avatar_id and a.metadata @> '{"migrated": true}' where ${some(0.2, 'post', 'u.id')};
    delete from public.avatars where ${some(0.05, 'remove')} and metadata @> '{"migrated": true}';
    delete from public.users where ${some(0.05, 'leave')};
    delete from public.follows where ${some(0.1, 'unfollow')};`);
}

describe('a single change of the app since its user was moved', () => {
  test('is a conflict where nothing else hints at it, in each table', async () => {
    const { sql } = await database('sample', 60, 'migrated');
    const users = await busyUsers(sql, APPS[0]);
    const expected: unknown[] = [];
    const own: string[] = [];
    for (const [relation, column, owner] of [
      ['posts', 'avatar_id', 'user_id'],
      ['follows', 'avatar_id', 'followed_id'],
      ['users', 'active_avatar_id', 'id'],
    ] as const) {
      const user = users.shift() ?? '';
      const avatar = await makeAvatar(sql, user);
      own.push(avatar);
      await stopSync(sql);
      const [{ id } = {}] = await sql`
        update ${sql(`public.${relation}`)} set ${sql(column)} = ${avatar}
        where id = (select min(id::text)::uuid from ${sql(`public.${relation}`)} where ${sql(owner)} = ${user}) returning id`;
      await resumeSync(sql);
      expected.push({
        entity: user,
        detail: { relation: `public.${relation}`, row_key: id, reason: 'changed' },
      });
    }
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ conflicts: 3 });
    const told = await sql`select entity, detail from public.migration_log where event = 'conflict'`;
    expect(told).toHaveLength(3);
    expect([...told]).toEqual(expect.arrayContaining(expected));
    const kept = await sql`select owner_user_id from public.avatars where id <> all (${own}) order by 1`;
    expect(kept.map((avatar) => avatar.owner_user_id)).toEqual(told.map(({ entity }) => entity).sort());
  });
});

describe('one user rolled back alone', () => {
  const [app] = APPS;

  test('is held: moved again only when asked for, and no conflict later', async () => {
    const { sql } = await database('sample', 60, 'prepared');
    const original = await allChecksums(sql);
    const untouched = await userStates(sql);
    await migrateAll(sql);
    const [user = '', other = ''] = await busyUsers(sql, app);
    const others = await userStates(sql);

    const answer = await rollbackUser(sql, user);
    expect(answer).toMatchObject({ rolled_back: true, conflicts: [], removed: { 'public.avatars': 1 } });
    expect(answer.restored['public.users']).toBe(1);
    expect(answer.restored['public.posts']).toBeGreaterThan(0);
    expect(answer.restored['public.follows']).toBeGreaterThan(0);
    for (const [id, state] of await userStates(sql)) {
      expect(state).toEqual(id === user ? untouched.get(id) : others.get(id));
    }

    expect(await progress(sql)).toMatchObject({ held_users: 1, conflicts: 0, failed_users: 0 });
    expect(await rollbackUser(sql, user)).toMatchObject({ rolled_back: false, conflicts: [] });
    await sql`insert into public.posts (user_id, body) values (${user}, 'of a held user'), (${other}, 'of another')`;
    await migrateAll(sql);
    for (let offset = 0; offset < 60; offset += 20) {
      await call(sql, 'migrate_users_batch', { batch_size: 20, batch_offset: offset });
    }
    await migrateAll(sql);
    expect((await userStates(sql)).get(user)?.written).toEqual(UNTOUCHED);
    expect(
      await value(sql, `select count(*)::int from public.posts where avatar_id is null and user_id <> $1`, [
        user,
      ]),
    ).toBe(0);
    expect(await progress(sql)).toMatchObject({ held_users: 1 });

    // Asked for: released.
    expect(await call(sql, 'migrate_user_to_avatar_centric', { user_id: user })).toMatchObject({
      migrated: true,
    });
    await expectAllMigrated(sql);
    expect(await progress(sql)).toMatchObject({ held_users: 0 });

    // Held once more, then everything goes back without a conflict.
    await rollbackUser(sql, user);
    await sql`delete from public.posts where body in ('of a held user', 'of another')`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
  });

  test('is held in the middle of a run, which ends without that user', async () => {
    const { sql } = await database('sample', 60, 'prepared');
    await forwardCalls(sql, 3, 10);
    const [user = ''] = await busyUsers(sql, app);
    expect(await rollbackUser(sql, user)).toMatchObject({ rolled_back: true });
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    for (const [id, state] of await userStates(sql)) {
      if (id === user) expect(state.written).toEqual(UNTOUCHED);
      else expect(state.written.active).not.toBeNull();
    }
    expect(await progress(sql)).toMatchObject({ held_users: 1 });
  });

  test('stays moved when something has changed, and goes back by force', async () => {
    const { sql } = await database('sample', 60, 'migrated');
    const [user = ''] = await busyUsers(sql, app);
    const avatar = await activeAvatar(sql, user);
    await sql`update public.avatars set name = 'mine now' where id = ${avatar}`;
    const before = await userStates(sql);
    expect(await rollbackUser(sql, user)).toMatchObject({
      rolled_back: false,
      restored: {},
      removed: {},
      conflicts: [{ relation: 'public.avatars', key: avatar, reason: 'edited' }],
    });
    expect(await userStates(sql)).toEqual(before);
    expect(await progress(sql)).toMatchObject({ held_users: 0, conflicts: 1 });
    expect(await rollbackUser(sql, user, true)).toMatchObject({ rolled_back: true, conflicts: [] });
    expect(await progress(sql)).toMatchObject({ held_users: 1, conflicts: 0 });
    expect((await userStates(sql)).get(user)?.written).toEqual(UNTOUCHED);
  });

  test('who was never moved, or does not exist, is nothing to take back', async () => {
    const { sql } = await database('sample', 60, 'prepared');
    await forwardCalls(sql, 1, 5);
    const before = await userStates(sql);
    const [pending] = [...before].find(([, state]) => state.written.active === null) ?? [''];
    for (const user of [pending, '00000000-0000-0000-0000-000000000000']) {
      expect(await rollbackUser(sql, user)).toMatchObject({
        rolled_back: false,
        restored: {},
        removed: {},
        conflicts: [],
      });
    }
    expect(await userStates(sql)).toEqual(before);
    expect(await progress(sql)).toMatchObject({ held_users: 0 });
    expect((await refusal(sql`select public.rollback_user_migration(null)`)).code).toBe('IM004');
    expect((await refusal(sql`select public.rollback_user_migration(${pending}, null)`)).code).toBe('IM004');
    await migrateAll(sql);
    await expectAllMigrated(sql);
  });
});

describe('rollback_all_migrations', () => {
  test('takes everything back in one transaction', async () => {
    const { sql, connect } = await database('guide', 160, 'prepared');
    const original = await allChecksums(sql);
    await migrateAll(sql, { batch_size: 50 });
    const migrated = await allChecksums(sql);
    const one = connect();
    await one`begin`;
    expect(await call(one, 'rollback_all_migrations')).toMatchObject({ status: 'done', rolled_back: 160 });
    await one`rollback`;
    expect(await allChecksums(sql)).toEqual(migrated);
    const answer = await call(sql, 'rollback_all_migrations');
    expect(answer).toMatchObject({ status: 'done', state: 'succeeded', rolled_back: 160, conflicts: 0 });
    expect(answer.rows['public.avatars:removed']).toBeGreaterThan(0);
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
    expect(await call(sql, 'rollback_all_migrations')).toMatchObject({ status: 'done', rolled_back: 0 });
  });

  test('reports conflicts, and takes them too by force', async () => {
    const { sql } = await database('guide', 60, 'migrated');
    await sql`update public.avatars set name = 'mine' where metadata @> '{"migrated": true}' and owner_user_id in
      (select id from public.users order by id limit 20)`;
    const edited = await value<number>(
      sql,
      `select count(*)::int from public.avatars where name = 'mine' and metadata is not null`,
    );
    expect(await call(sql, 'rollback_all_migrations')).toMatchObject({
      status: 'done',
      rolled_back: 60 - edited,
      conflicts: edited,
    });
    expect(await call(sql, 'rollback_all_migrations', { force: true })).toMatchObject({
      rolled_back: edited,
      conflicts: 0,
    });
    await expectNoTraces(sql);
  });
});

describe('rollback is refused', () => {
  test('without a journal, and nothing is changed', async () => {
    const { sql } = await database('sample', 30);
    let answer: Answer;
    do answer = await call(sql, 'migrate_batch', { backup: false });
    while (answer.has_more);
    await expectAllMigrated(sql);
    expect(Object.values(await journalRows(sql)).every((rows) => rows === 0)).toBe(true);
    const before = await userStates(sql);
    const [user = ''] = before.keys();
    for (const attempt of [
      () => call(sql, 'rollback_batch'),
      () => call(sql, 'rollback_batch', { force: true }),
      () => call(sql, 'rollback_all_migrations'),
      () => rollbackUser(sql, user),
    ]) {
      const error = await refusal(attempt());
      expect(error).toMatchObject({
        code: 'IM009',
        message: expect.stringContaining('without a journal'),
        hint: expect.any(String),
      });
    }
    expect(await userStates(sql)).toEqual(before);
    expect(await progress(sql)).toMatchObject({ direction: 'forward', state: 'succeeded' });
  });

  test('where no run was ever started, and nothing is changed', async () => {
    const { sql } = await database('sample', 5);
    const user = await value<string>(sql, 'select id from public.users limit 1');
    for (const attempt of [
      () => call(sql, 'rollback_batch'),
      () => call(sql, 'rollback_all_migrations'),
      () => rollbackUser(sql, user),
    ]) {
      expect((await refusal(attempt())).code).toBe('IM022');
    }
  });

  test('when force differs from what the rollback was started with', async () => {
    const { sql } = await database('sample', 300, 'migrated');
    expect(await call(sql, 'rollback_batch', { max_ms: 1 })).toMatchObject({ has_more: true });
    expect((await refusal(call(sql, 'rollback_batch', { force: true }))).code).toBe('IM007');
  });
});

test('a rollback asked for while the plan is being prepared ends at once', async () => {
  const { sql } = await database('sample', 10);
  const original = await allChecksums(sql);
  const user = await value<string>(sql, 'select id from public.users limit 1');
  for (const steps of [1, 7, 8]) {
    for (let i = 0; i < steps; i++) {
      expect(await call(sql, 'migrate_batch')).toMatchObject({ status: 'preparing' });
    }
    expect(await rollbackUser(sql, user)).toMatchObject({ rolled_back: false, conflicts: [] });
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({
      status: 'done',
      state: 'succeeded',
      rolled_back: 0,
    });
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
  }
  await migrateAll(sql);
  await expectAllMigrated(sql);
});
