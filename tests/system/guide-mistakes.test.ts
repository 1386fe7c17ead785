import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums } from '../support/imago.ts';

/**
 * The script of the guide that many people follow, in the three places where it loses data, and the same steps by
 * Imago on the same app. The guide's app has posts.avatar_id already, cascading as all its foreign keys do.
 */

const USERS = 600;
const GUIDE_COLUMNS = { author: 'author_id', followed: 'following_id' };
/** The app's tables, its own avatars among them, without what a migration writes. */
const GUIDE_TABLES = {
  users: ['active_avatar_id'],
  avatars: ['metadata'],
  posts: ['avatar_id'],
  follows: ['avatar_id'],
};

/** What the guide has people do to their tables before its script runs. */
const GUIDE_SCHEMA = `
  alter table public.users add column active_avatar_id uuid references public.avatars (id) on delete set null;
  alter table public.posts add column avatar_id uuid references public.avatars (id) on delete cascade;
  alter table public.follows add column avatar_id uuid references public.avatars (id) on delete cascade;
  create index on public.posts (avatar_id);
  create index on public.follows (avatar_id)`;

/** The guide's script: users one by one, a window over those that have yet to be migrated, and a rollback by deleting. */
const GUIDE_SCRIPT = `
  create schema guide;

  create function guide.migrate_user(user_id uuid) returns void language plpgsql as $$
  declare
    new_avatar uuid;
  begin
    insert into public.avatars (owner_user_id, name, bio, niche, personality_traits, personality_prompt)
    select u.id, coalesce(u.display_name, u.username), coalesce(u.bio, ''), 'other', '{friendly,creative}', 'Be friendly.'
    from public.users u where u.id = migrate_user.user_id
    returning id into new_avatar;
    update public.users u set active_avatar_id = new_avatar where u.id = migrate_user.user_id;
    -- Whose posts are they?
    update public.posts set avatar_id = new_avatar where avatar_id is null;
  end
  $$;

  create function guide.migrate_users_batch(batch_size integer, batch_offset integer) returns integer language plpgsql as $$
  declare
    next_user uuid;
    processed integer := 0;
  begin
    for next_user in
      select u.id from public.users u where u.active_avatar_id is null order by u.id limit batch_size offset batch_offset
    loop
      perform guide.migrate_user(next_user);
      processed := processed + 1;
    end loop;
    return processed;
  end
  $$;

  create function guide.rollback_user(user_id uuid) returns void language plpgsql as $$
  begin
    update public.users u set active_avatar_id = null where u.id = rollback_user.user_id;
    delete from public.avatars a where a.owner_user_id = rollback_user.user_id;
  end
  $$`;

let db: TestDatabase;

afterEach(async () => {
  await db.drop();
});

async function guideApp({ script = false } = {}): Promise<Sql> {
  db = await freshDatabase({ app: 'guide', users: USERS });
  await db.sql.unsafe(GUIDE_SCHEMA);
  if (script) await db.sql.unsafe(GUIDE_SCRIPT);
  return db.sql;
}

/** (100, 0), (100, 100), … until a window is empty, as the guide's loop does. */
async function documentedLoop(window: (size: number, offset: number) => Promise<number>): Promise<void> {
  for (let offset = 0; (await window(100, offset)) > 0; offset += 100);
}

const count = async (sql: Sql, what: string) => Number(await value(sql, `select count(*) from ${what}`));
const guideWindow = (sql: Sql) => (size: number, offset: number) =>
  value<number>(sql, 'select guide.migrate_users_batch($1, $2)', [size, offset]);
const imagoWindow = (sql: Sql) => async (batch_size: number, batch_offset: number) =>
  (await call(sql, 'migrate_users_batch', { batch_size, batch_offset })).processed as number;
const firstUser = (sql: Sql) => value<string>(sql, 'select id from public.users order by id limit 1');

describe('the loop with an offset of the guide', () => {
  test('leaves half of the users behind in the usual script, because its set shrinks under it', async () => {
    const sql = await guideApp({ script: true });
    await documentedLoop(guideWindow(sql));
    expect(await count(sql, 'public.users where active_avatar_id is null')).toBe(USERS / 2);
  });

  test('leaves nobody behind with Imago: the window is over all users', async () => {
    const sql = await guideApp();
    await prepareAll(sql);
    await documentedLoop(imagoWindow(sql));
    await expectAllMigrated(sql, GUIDE_COLUMNS);
    expect(await call(sql, 'migrate_batch')).toMatchObject({ status: 'done', has_more: false, migrated: 0 });
  });
});

describe('the posts of the guide’s app', () => {
  test('all go to the first user by the usual script, because its update forgets whose they are', async () => {
    const sql = await guideApp({ script: true });
    const posts = await count(sql, 'public.posts');
    await documentedLoop(guideWindow(sql));
    expect(posts).toBeGreaterThan(USERS);
    expect(
      await count(
        sql,
        `public.posts p join public.avatars a on a.id = p.avatar_id where a.owner_user_id = '${await firstUser(sql)}'`,
      ),
    ).toBe(posts);
  });

  test('go to the avatars of their authors with Imago', async () => {
    const sql = await guideApp();
    await prepareAll(sql);
    await imagoWindow(sql)(1, 0);
    const first = await firstUser(sql);
    const others = `public.posts where author_id <> '${first}'`;
    expect(await count(sql, `${others} and avatar_id is not null`)).toBe(0);
    await documentedLoop(imagoWindow(sql));
    expect(await count(sql, `${others} and avatar_id is null`)).toBe(0);
    expect(
      await count(
        sql,
        'public.posts p join public.avatars a on a.id = p.avatar_id where a.owner_user_id <> p.author_id',
      ),
    ).toBe(0);
  });
});

describe('rolling back one user of the guide’s app', () => {
  test('deletes every post by the usual script, by cascade', async () => {
    const sql = await guideApp({ script: true });
    await documentedLoop(guideWindow(sql));
    expect(await count(sql, 'public.posts')).toBeGreaterThan(USERS);
    await sql`select guide.rollback_user(${await firstUser(sql)})`;
    expect(await count(sql, 'public.posts')).toBe(0);
  });

  test('deletes none with Imago, nor does rolling back all of them', async () => {
    const sql = await guideApp();
    const original = await checksums(sql, GUIDE_TABLES);
    await prepareAll(sql);
    await documentedLoop(imagoWindow(sql));
    const posts = await count(sql, 'public.posts');

    // One who had no avatar of their own: the default avatar goes, and what has cascaded from it stays.
    const user = await value<string>(
      sql,
      `select owner_user_id from public.avatars a
       where a.metadata @> '{"migrated": true}'
       order by (select count(*) from public.posts p where p.avatar_id = a.id) desc, owner_user_id limit 1`,
    );
    const own = await count(sql, `public.posts where author_id = '${user}'`);
    expect(own).toBeGreaterThan(0);
    expect(await call(sql, 'rollback_user_migration', { user_id: user })).toMatchObject({
      rolled_back: true,
      conflicts: [],
    });
    expect(await count(sql, 'public.posts')).toBe(posts);
    expect(await count(sql, 'public.posts where avatar_id is null')).toBe(own);
    expect(await count(sql, `public.avatars where owner_user_id = '${user}'`)).toBe(0);

    expect(await call(sql, 'rollback_all_migrations')).toMatchObject({ status: 'done', has_more: false });
    expect(await checksums(sql, GUIDE_TABLES)).toEqual(original);
  });
});
