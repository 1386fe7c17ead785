import type { Fixture } from './fixture.ts';

/** An entity of the sample app by a number. */
const user = (n: number) => `md5('user ' || ${1 + (n % 60)})::uuid`;

export default {
  app: 'scripts/embedded/sample.sql',
  writers: [
    {
      name: 'sign-ups',
      side: 'old',
      write: (sql, n) => sql`insert into public.users (username) values (${`late ${n}`})`,
    },
    {
      name: 'posts',
      side: 'old',
      write: (sql, n) =>
        sql.unsafe(`insert into public.posts (user_id, body) values (${user(n)}, 'Meanwhile ${n}')`),
    },
    {
      name: 'profiles',
      side: 'old',
      write: (sql, n) => sql.unsafe(`update public.users set bio = 'New ${n}' where id = ${user(n)}`),
    },
  ],
  differing: `
    select u.id as entity from public.users u
    left join public.avatars a on a.id = u.active_avatar_id
    where a.owner_user_id is distinct from u.id
    union
    select p.user_id from public.posts p
    join public.users u on u.id = p.user_id
    where p.avatar_id is distinct from u.active_avatar_id
    union
    select f.followed_id from public.follows f
    join public.users u on u.id = f.followed_id
    where f.avatar_id is distinct from u.active_avatar_id`,
} satisfies Fixture;
