import type { Sql } from 'postgres';
import { expect } from 'vitest';
import { expectNoTraces as expectNone } from '../../scripts/plan/conformance/looks.ts';
import { checksums } from './imago.ts';

/** Every table that a rollback may touch, avatars that the app made included, each with the columns that the plan adds. */
const ALL_TABLES = {
  users: ['active_avatar_id'],
  posts: ['avatar_id'],
  follows: ['avatar_id'],
  comments: [],
  likes: [],
  avatars: ['metadata'],
};

/** A user with all that hangs on them, as JSON; the columns and rows that the plan writes are kept apart. */
export interface UserState {
  /** What the app wrote: the user, their posts, the follows of them and the avatars that they made. */
  own: unknown;
  /** What the plan wrote: active avatar, avatars of posts and follows by key, default avatars. */
  written: { active: string | null; rows: Record<string, string>; avatars: unknown[] };
}

/** The state of every user by key. */
export async function userStates(
  sql: Sql,
  { author = 'user_id', followed = 'followed_id' }: { author?: string; followed?: string } = {},
): Promise<Map<string, UserState>> {
  const rows = await sql<{ id: string; own: unknown; written: UserState['written'] }[]>`
    select
      u.id,
      jsonb_build_array(
        to_jsonb(u) - 'active_avatar_id', posts.own, follows.own,
        (select jsonb_agg(to_jsonb(a) order by a.id) from public.avatars a
         where a.owner_user_id = u.id and not coalesce(a.metadata @> '{"migrated": true}', false))) as own,
      jsonb_build_object(
        'active', u.active_avatar_id,
        'rows', coalesce(posts.written, '{}') || coalesce(follows.written, '{}'),
        'avatars', coalesce((
          select jsonb_agg(to_jsonb(a) order by a.id) from public.avatars a
          where a.owner_user_id = u.id and a.metadata @> '{"migrated": true}'), '[]')) as written
    from public.users u
    cross join lateral (
      select
        jsonb_agg(to_jsonb(p) - 'avatar_id' order by p.id) as own,
        jsonb_object_agg(p.id, p.avatar_id) filter (where p.avatar_id is not null) as written
      from public.posts p where p.${sql(author)} = u.id
    ) posts
    cross join lateral (
      select
        jsonb_agg(to_jsonb(f) - 'avatar_id' order by f.id) as own,
        jsonb_object_agg(f.id, f.avatar_id) filter (where f.avatar_id is not null) as written
      from public.follows f where f.${sql(followed)} = u.id
    ) follows`;
  return new Map(rows.map(({ id, own, written }) => [id, { own, written }]));
}

/** What a user looks like who is not migrated at all. */
export const UNTOUCHED: UserState['written'] = { active: null, rows: {}, avatars: [] };

/** Checksums of all tables, avatars that the app made included. */
export async function allChecksums(sql: Sql): Promise<Record<string, string>> {
  return await checksums(sql, ALL_TABLES);
}

/** Nothing points at an avatar that is not there. */
export async function expectNothingDangles(sql: Sql): Promise<void> {
  const [dangling] = await sql`
    select
      (select count(*)::int from public.users u left join public.avatars a on a.id = u.active_avatar_id
       where u.active_avatar_id is not null and a.id is null) as users,
      (select count(*)::int from public.posts p left join public.avatars a on a.id = p.avatar_id
       where p.avatar_id is not null and a.id is null) as posts,
      (select count(*)::int from public.follows f left join public.avatars a on a.id = f.avatar_id
       where f.avatar_id is not null and a.id is null) as follows`;
  expect(dangling).toEqual({ users: 0, posts: 0, follows: 0 });
}

/** How many rows the journal holds, by undo table. */
export async function journalRows(sql: Sql, plan = 'avatars'): Promise<Record<string, number>> {
  const tables = await sql<{ name: string }[]>`
    select undo_table as name from imago.plan_write where plan = ${plan} and undo_table is not null order by position`;
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await sql<{ rows: number }[]>`select count(*)::int as rows from imago_undo.${sql(name)}`;
    counts[name] = row?.rows ?? -1;
  }
  return counts;
}

/** Nothing is journaled any more and no trigger of ours is left on a table of the app. */
export async function expectNoTraces(sql: Sql, plan = 'avatars'): Promise<void> {
  await expectNone(sql, plan);
}
