import type { Sql } from 'postgres';

/** Something that is wrong with migrated avatars, made by hand. */
export interface Defect {
  /** The check that it is for. */
  check: string;
  /** What is done, in a few words. */
  what: string;
  /** Makes it and returns the keys that the check must list. */
  make(sql: Sql): Promise<string[]>;
  /** Whether it has a fix; otherwise `mend` is what a person does. */
  fixable: boolean;
  mend?(sql: Sql, keys: string[]): Promise<unknown>;
  /** Whether the cross-check of counts sees it, and for how many users. */
  counted: number;
}

/** The key of no row. */
const NOBODY = '00000000-0000-4000-8000-000000000000';

const ids = async (rows: PromiseLike<readonly { id: string }[]>): Promise<string[]> =>
  (await rows).map(({ id }) => id).toSorted();

/** Avatars of the users at these places in key order. */
const avatarOf = (sql: Sql, place: number) =>
  sql`(select active_avatar_id from public.users order by id offset ${place} limit 1)`;

const userAt = (sql: Sql, place: number) =>
  sql`(select id from public.users order by id offset ${place} limit 1)`;

/** The first user, in key order, whose rows in a table are at least two. */
const busyUser = (sql: Sql, table: string, column: string) =>
  sql`(select ${sql(column)} from ${sql(table)} group by 1 having count(*) >= 2 order by 1 limit 1)`;

/** The defects that the avatars plan has checks for, for the sample app. */
export const DEFECTS: Defect[] = [
  {
    check: 'users_without_active_avatar',
    what: 'two users sign up after the run',
    make: (sql) => ids(sql`insert into public.users (username) values ('late_1'), ('late_2') returning id`),
    fixable: true,
    counted: 2,
  },
  {
    check: 'journal_contradicted',
    what: 'the active avatar is taken from three migrated users',
    make: (sql) =>
      ids(sql`
        update public.users set active_avatar_id = null
        where id in (select id from public.users order by id limit 3) returning id`),
    fixable: true,
    counted: 3,
  },
  {
    check: 'wrong_active_avatar',
    what: 'a user is given the avatar of another',
    make: (sql) =>
      ids(
        sql`update public.users set active_avatar_id = ${avatarOf(sql, 1)} where id = ${userAt(sql, 0)} returning id`,
      ),
    fixable: true,
    counted: 1,
  },
  {
    check: 'wrong_active_avatar',
    what: 'the active avatar of a user without others does not exist',
    make: async (sql) => {
      await sql`alter table public.users drop constraint users_active_avatar_id_fkey`;
      return await ids(sql`
        update public.users set active_avatar_id = ${NOBODY} where id = ${userAt(sql, 4)} returning id`);
    },
    fixable: true,
    counted: 1,
  },
  {
    check: 'two_default_avatars',
    what: 'a user gets a second avatar that carries the mark',
    make: async (sql) => {
      await sql`drop index public.avatars_migrated_owner_key`;
      // The surplus one is the one with the higher key.
      return await ids(sql`
        insert into public.avatars (id, owner_user_id, name, metadata)
        values ('ffffffff-ffff-4fff-8fff-ffffffffffff', ${userAt(sql, 0)}, 'Second', '{"migrated": true}') returning id`);
    },
    fixable: false,
    mend: (sql, [key]) =>
      sql`update public.avatars set metadata = metadata - 'migrated' where id = ${key ?? ''}`,
    counted: 0,
  },
  {
    check: 'orphaned_avatars',
    what: 'an avatar is left whose owner does not exist',
    make: async (sql) => {
      await sql`alter table public.avatars drop constraint avatars_owner_user_id_fkey`;
      return await ids(sql`
        insert into public.avatars (owner_user_id, name) values (${NOBODY}, 'Nobody') returning id`);
    },
    fixable: false,
    mend: (sql, [key]) => sql`delete from public.avatars where id = ${key ?? ''}`,
    counted: 0,
  },
  {
    check: 'posts_without_avatar',
    what: 'the app writes posts without an avatar',
    make: (sql) =>
      ids(sql`
        insert into public.posts (user_id, body)
        select ${userAt(sql, 0)}, 'New' from generate_series(1, 12) returning id`),
    fixable: true,
    counted: 1,
  },
  {
    check: 'posts_with_wrong_avatar',
    what: 'posts carry the avatar of another user',
    make: (sql) =>
      ids(sql`
        update public.posts p set avatar_id = (
          select u.active_avatar_id from public.users u where u.id <> p.user_id order by u.id limit 1)
        where p.user_id = ${busyUser(sql, 'posts', 'user_id')} returning id`),
    fixable: true,
    counted: 1,
  },
  {
    check: 'posts_with_wrong_avatar',
    what: 'a post carries an avatar that does not exist',
    make: async (sql) => {
      await sql`alter table public.posts drop constraint posts_avatar_id_fkey`;
      return await ids(sql`
        update public.posts set avatar_id = ${NOBODY}
        where id = (select id from public.posts order by id limit 1) returning id`);
    },
    fixable: true,
    counted: 1,
  },
  {
    check: 'posts_of_unknown_authors',
    what: 'a post of an author who does not exist',
    make: async (sql) => {
      await sql`alter table public.posts drop constraint posts_user_id_fkey`;
      return await ids(sql`insert into public.posts (user_id, body) values (${NOBODY}, 'Lost') returning id`);
    },
    fixable: false,
    mend: (sql, [key]) => sql`delete from public.posts where id = ${key ?? ''}`,
    counted: 0,
  },
  {
    check: 'follows_without_avatar',
    what: 'follows lose their avatar',
    make: (sql) =>
      ids(sql`
        update public.follows set avatar_id = null
        where followed_id = ${busyUser(sql, 'follows', 'followed_id')} returning id`),
    fixable: true,
    counted: 1,
  },
  {
    check: 'follows_with_wrong_avatar',
    what: 'a follow points to the avatar of the follower',
    make: (sql) =>
      ids(sql`
        update public.follows f set avatar_id = (select active_avatar_id from public.users u where u.id = f.follower_id)
        where f.id = (select id from public.follows order by id limit 1) returning id`),
    fixable: true,
    counted: 1,
  },
];
