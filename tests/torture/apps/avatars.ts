/** The sample app: users, their posts, and their follows. */
import { type App, returned } from '../app.ts';
import { type Model, type Row, storedRows, unlike } from '../model.ts';

/** Biographies that a user has had: an avatar holds that of the moment in which it was made. */
const bios = new WeakMap<Model, Map<string, Set<unknown>>>();

function biosOf(model: Model): Map<string, Set<unknown>> {
  let known = bios.get(model);
  if (!known) {
    known = new Map([...model.rows('users')].map(([id, user]) => [id, new Set([user.bio ?? ''])]));
    bios.set(model, known);
  }
  return known;
}

/** What goes when a user goes, as the foreign keys say. */
function forgetUser(model: Model, id: string): void {
  model.rows('users').delete(id);
  for (const [key, post] of [...model.rows('posts')]) if (post.user_id === id) forgetPost(model, key);
  for (const [key, row] of model.rows('follows')) {
    if (row.follower_id === id || row.followed_id === id) model.rows('follows').delete(key);
  }
  for (const table of ['comments', 'likes']) {
    for (const [key, row] of model.rows(table)) if (row.user_id === id) model.rows(table).delete(key);
  }
}

function forgetPost(model: Model, id: string): void {
  model.rows('posts').delete(id);
  for (const table of ['comments', 'likes']) {
    for (const [key, row] of model.rows(table)) if (row.post_id === id) model.rows(table).delete(key);
  }
}

const blank = (text: unknown) => typeof text !== 'string' || text.replaceAll(/^ +| +$/g, '') === '';
const trimmed = (text: unknown) => String(text).replaceAll(/^ +| +$/g, '');

function nameOf(user: Row): string {
  if (!blank(user.display_name)) return trimmed(user.display_name);
  return blank(user.username) ? 'Avatar' : trimmed(user.username);
}

export const avatars: App = {
  plan: 'avatars',
  file: 'scripts/embedded/sample.sql',
  entities: 200,
  walked: ['public.users'],
  writes: [
    {
      name: 'sign-up',
      weight: 3,
      async write(tx, model, slice) {
        const name = `late ${slice.next()}`;
        const row = await returned(
          tx`insert into public.users (username) values (${name}) returning to_jsonb(users) as row`,
        );
        return () => {
          model.put('users', row as Row);
          biosOf(model).set(String(row?.id), new Set(['']));
          slice.own('users', String(row?.id));
        };
      },
    },
    {
      name: 'post',
      weight: 4,
      async write(tx, model, slice) {
        const user = slice.key('users');
        if (!user) return null;
        const row = await returned(
          tx`insert into public.posts (user_id, body) values (${user}, ${`Meanwhile ${slice.next()}`}) returning to_jsonb(posts) as row`,
        );
        return () => {
          model.put('posts', row as Row);
          slice.own('posts', String(row?.id));
        };
      },
    },
    {
      name: 'profile',
      weight: 3,
      async write(tx, model, slice) {
        const user = slice.key('users');
        if (!user) return null;
        const bio = `New ${slice.next()}`;
        const row = await returned(
          tx`update public.users set bio = ${bio} where id = ${user} returning to_jsonb(users) as row`,
        );
        // The avatar may be made before this is known to be committed.
        biosOf(model).get(user)?.add(bio);
        return row ? () => model.put('users', row) : null;
      },
    },
    {
      name: 'a post is edited or changes hands',
      weight: 3,
      async write(tx, model, slice) {
        const post = slice.key('posts');
        const user = slice.key('users');
        if (!post || !user) return null;
        const row = await returned(
          slice.below(2) === 0
            ? tx`update public.posts set body = ${`Edited ${slice.next()}`} where id = ${post} returning to_jsonb(posts) as row`
            : tx`update public.posts set user_id = ${user} where id = ${post} returning to_jsonb(posts) as row`,
        );
        return row ? () => model.put('posts', row) : null;
      },
    },
    {
      name: 'follow',
      weight: 3,
      async write(tx, model, slice) {
        const [follower, followed] = [slice.key('users'), slice.key('users')];
        if (!follower || !followed || follower === followed) return null;
        const row = await returned(
          tx`insert into public.follows (follower_id, followed_id) values (${follower}, ${followed})
             on conflict do nothing returning to_jsonb(follows) as row`,
        );
        return row ? () => model.put('follows', row) : null;
      },
    },
    {
      name: 'a post is deleted',
      weight: 1,
      async write(tx, model, slice) {
        const post = slice.key('posts');
        if (!post) return null;
        const row = await returned(
          tx`delete from public.posts where id = ${post} returning to_jsonb(posts) as row`,
        );
        return row ? () => forgetPost(model, post) : null;
      },
    },
    {
      name: 'a user is deleted',
      weight: 1,
      async write(tx, model, slice) {
        const user = slice.key('users', (key) => slice.isNew('users', key));
        if (!user) return null;
        const row = await returned(
          tx`delete from public.users where id = ${user} returning to_jsonb(users) as row`,
        );
        return row ? () => forgetUser(model, user) : null;
      },
    },
  ],
  async moved(sql, model) {
    const made = await storedRows(sql, 'public.avatars', 'owner_user_id');
    const all = await storedRows(sql, 'public.avatars', 'id');
    const wanted = new Map([...model.rows('users')].map(([id, user]) => [id, { name: nameOf(user) }]));
    const wrong = unlike('public.avatars of', wanted, made);
    if (all.size !== made.size) wrong.push(`public.avatars has ${all.size - made.size} too many`);
    for (const [owner, avatar] of made) {
      if (!biosOf(model).get(owner)?.has(avatar.bio))
        wrong.push(`public.avatars of ${owner} has another bio`);
    }
    const avatarOf = (user: unknown) => made.get(String(user))?.id ?? null;
    const pointers: [table: string, column: string, owner: string][] = [
      ['users', 'active_avatar_id', 'id'],
      ['posts', 'avatar_id', 'user_id'],
      ['follows', 'avatar_id', 'followed_id'],
    ];
    for (const [table, column, owner] of pointers) {
      const expected = new Map(
        [...model.rows(table)].map(([id, row]) => [id, { [column]: avatarOf(row[owner]) }]),
      );
      wrong.push(...unlike(`public.${table}`, expected, await storedRows(sql, `public.${table}`, 'id')));
    }
    return wrong;
  },
  async back(sql) {
    const left = await storedRows(sql, 'public.avatars', 'id');
    const wrong = [...left.keys()].map((id) => `public.avatars ${id} should not be there`);
    for (const [table, column] of [
      ['users', 'active_avatar_id'],
      ['posts', 'avatar_id'],
      ['follows', 'avatar_id'],
    ]) {
      const pointing = await storedRows(sql, `public.${table}`, 'id', `${column} is not null`);
      wrong.push(...[...pointing.keys()].map((id) => `public.${table} ${id} has a ${column}`));
    }
    return wrong;
  },
};
