import type { Sql } from 'postgres';
import { call } from './call.ts';

/** The two apps and the names by which they call the author of a post and the followed user. */
export const APPS = [
  { app: 'sample', author: 'user_id', followed: 'followed_id', body: 'body' },
  { app: 'guide', author: 'author_id', followed: 'following_id', body: 'content' },
] as const;

/** Rolls one user back alone. */
export const rollbackUser = (sql: Sql, user: string, force = false) =>
  call(sql, 'rollback_user_migration', { user_id: user, force });

/** Users with a default avatar, at least one post and at least one follower, in key order. */
export async function busyUsers(sql: Sql, { author, followed }: (typeof APPS)[number]): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select u.id from public.users u
    where exists (select from public.avatars a where a.owner_user_id = u.id and a.metadata @> '{"migrated": true}')
      and exists (select from public.posts p where p.${sql(author)} = u.id)
      and exists (select from public.follows f where f.${sql(followed)} = u.id)
    order by u.id`;
  return rows.map((row) => row.id);
}
