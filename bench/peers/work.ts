/** The work of a peer that is written by hand, or of Imago, in one direction: `node bench/peers/work.ts sql there URL`. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@supabase/supabase-js';
import postgres, { type Sql } from 'postgres';
import { z } from 'zod';
import { allBack, pageBack, pageThere } from './sql.ts';

/** Users a page of SQL, and a page of supabase-js, where each has calls of its own. */
const pageSize = 1000;
const httpPageSize = 100;

/** What the Data API answers. */
const rows = z.array(z.record(z.string(), z.string().nullable()));

const [kind = '', direction = '', url = ''] = process.argv.slice(2);
const sql = postgres(url, { max: 1, onnotice: () => {} });
const work: Record<string, Record<string, (sql: Sql) => Promise<void>>> = {
  imago: { there: (sql) => batches(sql, 'migrate_batch'), back: (sql) => batches(sql, 'rollback_batch') },
  transaction: { there: oneTransaction, back: async (sql) => void (await sql.unsafe(allBack)) },
  sql: { there: pagesThere, back: pagesBack },
  js: { there: throughApi, back: throughApiBack },
};
await work[kind]?.[direction]?.(sql);
await sql.end();

async function batches(sql: Sql, name: 'migrate_batch' | 'rollback_batch'): Promise<void> {
  for (;;) {
    const [row] = await sql<{ answer: { has_more: boolean; retry_after_ms: number } }[]>`
      select public.${sql.unsafe(name)}() as answer`;
    if (!row?.answer.has_more) return;
    await delay(row.answer.retry_after_ms);
  }
}

async function oneTransaction(sql: Sql): Promise<void> {
  await sql.unsafe(await readFile(new URL('../sql/one-transaction.sql', import.meta.url), 'utf8'));
}

async function pagesThere(sql: Sql): Promise<void> {
  for (;;) {
    const [row] = await sql.unsafe<{ moved: number }[]>(pageThere, [pageSize]);
    if (!row?.moved) return;
  }
}

async function pagesBack(sql: Sql): Promise<void> {
  for (;;) {
    const count = await sql.begin(async (tx) => {
      let users = 0;
      for (const [i, statement] of pageBack.entries()) {
        const { count } = await tx.unsafe(statement);
        if (i === 0) users = count;
      }
      return users;
    });
    if (count === 0) return;
  }
}

/** As a script with supabase-js does it: pages of users, their avatars at once, then each user's rows. */
async function throughApi(): Promise<void> {
  const client = createClient(process.env.BENCH_API_URL ?? '', process.env.BENCH_API_KEY ?? '');
  for (;;) {
    const users = await ok(
      client
        .from('users')
        .select('id, display_name, username, bio, avatar_url')
        .is('active_avatar_id', null)
        .order('id')
        .limit(httpPageSize),
    );
    if (users.length === 0) return;
    const made = await ok(
      client
        .from('avatars')
        .insert(
          users.map((user) => ({
            owner_user_id: user.id,
            name: user.display_name ?? user.username ?? 'user',
            bio: user.bio,
            avatar_image_url: user.avatar_url,
          })),
        )
        .select('id, owner_user_id'),
    );
    for (const { id, owner_user_id } of made) {
      await ok(client.from('posts').update({ avatar_id: id }).eq('user_id', owner_user_id).select('id'));
      await ok(
        client.from('follows').update({ avatar_id: id }).eq('followed_id', owner_user_id).select('id'),
      );
      await ok(client.from('users').update({ active_avatar_id: id }).eq('id', owner_user_id).select('id'));
    }
  }
}

async function throughApiBack(): Promise<void> {
  const client = createClient(process.env.BENCH_API_URL ?? '', process.env.BENCH_API_KEY ?? '');
  for (;;) {
    const avatars = await ok(client.from('avatars').select('id').order('id').limit(httpPageSize));
    if (avatars.length === 0) return;
    const ids = avatars.map(({ id }) => id);
    await ok(
      client.from('users').update({ active_avatar_id: null }).in('active_avatar_id', ids).select('id'),
    );
    await ok(client.from('posts').update({ avatar_id: null }).in('avatar_id', ids).select('id'));
    await ok(client.from('follows').update({ avatar_id: null }).in('avatar_id', ids).select('id'));
    await ok(client.from('avatars').delete().in('id', ids).select('id'));
  }
}

async function ok(
  query: PromiseLike<{ data: unknown; error: { code: string; message: string } | null }>,
): Promise<z.output<typeof rows>> {
  const { data, error } = await query;
  if (error) throw new Error(`${error.code} ${error.message}`);
  return rows.parse(data);
}
