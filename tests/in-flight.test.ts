import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated } from './support/avatars.ts';
import { type Answer, call, value } from './support/call.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { checksums, migrateAll, rollbackAll } from './support/imago.ts';
import { expectNothingDangles } from './support/state.ts';
import { pidOf, untilBlocked } from './support/until.ts';

const databases: TestDatabase[] = [];

async function database(users: number): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users });
  databases.push(db);
  // Waiting for locks is what these tests are about: long enough for a slow machine, never reached by a fast one.
  await db.sql`update imago.setting set value = '15000' where name in ('lock_timeout_ms', 'state_lock_timeout_ms')`;
  return db;
}

/** Calls until nothing more can be prepared. */
async function prepare(db: TestDatabase): Promise<void> {
  while ((await call(db.sql, 'prepare_migration'))['has_more']);
}

/** A transaction of the app that stays open until it is let go. */
async function holdOpen(db: TestDatabase, work: string, args: unknown[] = []) {
  const session = db.connect();
  const pid = await pidOf(session);
  await session.unsafe('begin');
  await session.unsafe(work, args as never[]);
  return { pid, commit: () => session.unsafe('commit'), rollback: () => session.unsafe('rollback') };
}

const firstUser = (db: TestDatabase) =>
  value<string>(db.sql, 'select id from public.users order by id limit 1');
const activeAvatar = (db: TestDatabase, user: string) =>
  value<string>(db.sql, 'select active_avatar_id from public.users where id = $1', [user]);

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

describe('the app writes while users move', () => {
  test.each([
    ['a post', 'insert into public.posts (user_id, body) values ($1, $2)', 'in flight'],
    [
      'a follow',
      `insert into public.follows (followed_id, follower_id)
       select $1, u.id from public.users u
       where u.id <> $1 and $2::text is not null
         and not exists (select from public.follows f where f.followed_id = $1 and f.follower_id = u.id)
       limit 1`,
      'in flight',
    ],
  ])('%s that commits after its user was moved is moved by a later call', async (_, statement, body) => {
    const db = await database(50);
    const user = await firstUser(db);
    await prepare(db);
    await db.sql`update imago.setting set value = '0' where name = 'writer_wait_ms'`;
    const app = await holdOpen(db, statement, [user, body]);

    await migrateAll(db.sql);
    await app.commit();
    expect((await call(db.sql, 'get_migration_statistics'))['users_needing_migration']).toBe(1);

    const results = await migrateAll(db.sql);
    expect(results.reduce((sum, result) => sum + result.migrated, 0)).toBe(1);
    await expectAllMigrated(db.sql);
    await rollbackAll(db.sql);
    expect((await call(db.sql, 'get_migration_statistics'))['migrated_users']).toBe(0);
  });

  test('the end of a run waits for transactions that were writing, so that their rows are moved by it', async () => {
    const db = await database(50);
    const user = await firstUser(db);
    await prepare(db);
    const app = await holdOpen(db, 'insert into public.posts (user_id, body) values ($1, $2)', [
      user,
      'late',
    ]);

    let last: Answer = {};
    do last = await call(db.sql, 'migrate_batch');
    while (last['status'] === 'working' || last['status'] === 'preparing');
    expect(last['status']).toBe('deferred');
    expect(last['has_more']).toBe(true);

    await app.commit();
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);
    expect(await value<string>(db.sql, 'select state from imago.run order by id desc limit 1')).toBe(
      'succeeded',
    );
    expect(await value<number>(db.sql, 'select count(*)::int from imago.run')).toBe(1);
  });
});

describe('the app refers to an avatar while it is taken back', () => {
  test('a post in flight is waited for and detached, not lost and not dangling', async () => {
    const db = await database(40);
    await migrateAll(db.sql);
    const user = await firstUser(db);
    const avatar = await activeAvatar(db, user);
    const app = await holdOpen(
      db,
      'insert into public.posts (user_id, body, avatar_id) values ($1, $2, $3)',
      [user, 'written during the rollback', avatar],
    );
    const mover = db.connect();
    const pid = await pidOf(mover);
    const rollback = call(mover, 'rollback_user_migration', { user_id: user });
    await untilBlocked(db.sql, pid);
    await app.commit();

    expect((await rollback)['rolled_back']).toBe(true);
    const [post] =
      await db.sql`select avatar_id from public.posts where body = 'written during the rollback'`;
    expect(post).toEqual({ avatar_id: null });
    await expectNothingDangles(db.sql);
  });

  test.each(['cascade', 'set null', 'restrict'])(
    'a row of another table in flight (on delete %s) makes a conflict and stays',
    async (rule) => {
      const db = await database(40);
      await migrateAll(db.sql);
      await db.sql.unsafe(
        `create table public.badges (id serial primary key, avatar_id uuid references public.avatars on delete ${rule})`,
      );
      const user = await firstUser(db);
      const avatar = await activeAvatar(db, user);
      const app = await holdOpen(db, 'insert into public.badges (avatar_id) values ($1)', [avatar]);
      const mover = db.connect();
      const pid = await pidOf(mover);
      const rollback = call(mover, 'rollback_user_migration', { user_id: user, force: true });
      await untilBlocked(db.sql, pid);
      await app.commit();

      const answer = await rollback;
      expect(answer['rolled_back']).toBe(false);
      expect(answer['conflicts']).toEqual([
        { relation: 'public.avatars', key: avatar, reason: expect.stringContaining('badges') },
      ]);
      expect(await value(db.sql, 'select avatar_id from public.badges')).toBe(avatar);
      expect(await activeAvatar(db, user)).toBe(avatar);
    },
  );

  test('a reference that comes after the avatar has gone is refused, as by any foreign key', async () => {
    const db = await database(40);
    await migrateAll(db.sql);
    const user = await firstUser(db);
    const avatar = await activeAvatar(db, user);
    const rollback = await holdOpen(db, 'select public.rollback_user_migration($1)', [user]);
    const app = db.connect();
    const pid = await pidOf(app);
    const insert =
      app`insert into public.posts (user_id, body, avatar_id) values (${user}, 'too late', ${avatar})`.then(
        () => 'inserted',
        (error: { code: string }) => error.code,
      );
    await untilBlocked(db.sql, pid);
    await rollback.commit();
    expect(await insert).toBe('23503');
    await expectNothingDangles(db.sql);
  });

  test('an edit in flight keeps its value and makes a conflict', async () => {
    const db = await database(40);
    await migrateAll(db.sql);
    const user = await firstUser(db);
    const app = await holdOpen(db, 'update public.avatars set name = $2 where owner_user_id = $1', [
      user,
      'mine',
    ]);
    const mover = db.connect();
    const pid = await pidOf(mover);
    const rollback = call(mover, 'rollback_user_migration', { user_id: user });
    await untilBlocked(db.sql, pid);
    await app.commit();
    expect(await rollback).toMatchObject({ rolled_back: false, conflicts: [{ reason: 'edited' }] });
    expect(await value(db.sql, 'select name from public.avatars where owner_user_id = $1', [user])).toBe(
      'mine',
    );
  });
});

describe('two movers on one user', () => {
  const paths: [name: string, statement: string][] = [
    ['lane', 'select public.migrate_batch(batch_size => 5)'],
    ['window', 'select public.migrate_users_batch(5, 0)'],
    [
      'canary',
      'select public.migrate_user_to_avatar_centric((select id from public.users order by id limit 1))',
    ],
  ];
  const pairs = paths.flatMap(([first, one]) =>
    paths.map(([second, two]) => [first, second, one, two] as const),
  );

  test.each(pairs)('%s first, then %s: one avatar', async (_first, _second, one, two) => {
    const db = await database(20);
    await prepare(db);
    // The run exists and its lanes are cut, so that neither path has to start it.
    await call(db.sql, 'migrate_user_to_avatar_centric', {
      user_id: await value(db.sql, 'select id from public.users order by id desc limit 1'),
    });
    const first = await holdOpen(db, one);
    const other = db.connect();
    const pid = await pidOf(other);
    const ended = { now: false };
    const second = other.unsafe(two).then(() => {
      ended.now = true;
    });
    // Either it waits for the user's lock, or (two lanes) it found the lane taken and came back busy.
    while (!ended.now) {
      const [row] =
        await db.sql`select from pg_stat_activity where pid = ${pid} and wait_event_type = 'Lock'`;
      if (row) break;
    }
    await first.commit();
    await second;
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);
    expect(
      await value(
        db.sql,
        'select max(n)::int from (select count(*) n from public.avatars group by owner_user_id) a',
      ),
    ).toBe(1);
  });
});

test('a rollback that is asked for while a batch is in flight waits for it, bounded, and takes all of it back', async () => {
  const db = await database(60);
  const before = await checksums(db.sql);
  await prepare(db);
  await call(db.sql, 'migrate_batch', { batch_size: 1, max_ms: 1 });
  const batch = await holdOpen(db, 'select public.migrate_batch(batch_size => 10, max_ms => 1)');

  await db.sql`update imago.setting set value = '50' where name = 'state_lock_timeout_ms'`;
  const busy = await call(db.sql, 'rollback_batch');
  expect(busy).toMatchObject({ status: 'busy', has_more: true, direction: 'rollback' });

  await db.sql`update imago.setting set value = '15000' where name = 'state_lock_timeout_ms'`;
  const mover = db.connect();
  const pid = await pidOf(mover);
  const rollback = rollbackAll(mover);
  await untilBlocked(db.sql, pid);
  await batch.commit();
  await rollback;
  expect(await checksums(db.sql)).toEqual(before);
  expect(await value(db.sql, 'select count(*)::int from public.avatars')).toBe(0);
});
