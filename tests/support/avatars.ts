import type { Sql } from 'postgres';
import { expect } from 'vitest';

/** What is wrong with the avatars of an app that has been migrated: all zero when nothing is. */
export interface AvatarFaults {
  users_without_active_avatar: number;
  users_with_the_avatar_of_another: number;
  users_with_two_default_avatars: number;
  posts_without_avatar: number;
  posts_with_the_avatar_of_another: number;
  follows_without_avatar: number;
  follows_with_the_avatar_of_another: number;
}

/** The columns of the app that name a post's author and the followed user. */
export interface AppColumns {
  author?: string;
  followed?: string;
}

/** Counts what is wrong, user by user, post by post, follow by follow. */
export async function avatarFaults(
  sql: Sql,
  { author = 'user_id', followed = 'followed_id' }: AppColumns = {},
): Promise<AvatarFaults> {
  const [row] = await sql<AvatarFaults[]>`
    select
      (select count(*)::int from public.users where active_avatar_id is null) as users_without_active_avatar,
      (select count(*)::int from public.users u left join public.avatars a on a.id = u.active_avatar_id
       where u.active_avatar_id is not null and a.owner_user_id is distinct from u.id) as users_with_the_avatar_of_another,
      (select count(*)::int from (
         select from public.avatars where metadata @> '{"migrated": true}' group by owner_user_id having count(*) > 1
       ) doubles) as users_with_two_default_avatars,
      (select count(*)::int from public.posts where avatar_id is null) as posts_without_avatar,
      (select count(*)::int from public.posts p left join public.avatars a on a.id = p.avatar_id
       where p.avatar_id is not null and a.owner_user_id is distinct from p.${sql(author)}) as posts_with_the_avatar_of_another,
      (select count(*)::int from public.follows where avatar_id is null) as follows_without_avatar,
      (select count(*)::int from public.follows f left join public.avatars a on a.id = f.avatar_id
       where f.avatar_id is not null and a.owner_user_id is distinct from f.${sql(followed)}) as follows_with_the_avatar_of_another`;
  if (!row) throw new Error('no row');
  return row;
}

/** Everybody has one avatar, their own, and so have their posts and the follows of them. */
export async function expectAllMigrated(sql: Sql, columns: AppColumns = {}): Promise<void> {
  expect(await avatarFaults(sql, columns)).toEqual({
    users_without_active_avatar: 0,
    users_with_the_avatar_of_another: 0,
    users_with_two_default_avatars: 0,
    posts_without_avatar: 0,
    posts_with_the_avatar_of_another: 0,
    follows_without_avatar: 0,
    follows_with_the_avatar_of_another: 0,
  });
  const [counts] = await sql<{ users: number; active: number }[]>`
    select count(*)::int as users, count(distinct active_avatar_id)::int as active from public.users`;
  expect(counts?.active).toBe(counts?.users);
}

/** Calls prepare_migration until the plan is prepared; returns the names of the steps. */
export async function prepareAll(sql: Sql, plan = 'avatars'): Promise<string[]> {
  const steps: string[] = [];
  for (;;) {
    const [row] = await sql<{ answer: { step: string | null; has_more: boolean } }[]>`
      select public.prepare_migration(${plan}) as answer`;
    if (row?.answer.step) steps.push(row.answer.step);
    if (!row?.answer.has_more) return steps;
  }
}
