/** Whether a method has done its work right. */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';
import type { Method } from './methods.ts';
import { type Sums, sumsOf, type Template } from './server.ts';

/** What a method left undone or did wrong, by name; empty when all is right. */
export async function findWrong(
  sql: Sql,
  method: Method,
  template: Template,
  users: number,
  moved: number,
): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = moved === users ? {} : { moved, expected: users };
  if (method.key === 'r') {
    const sums: Sums = await sumsOf(sql);
    for (const [table, sum] of Object.entries(sums))
      if (sum !== template.sums[table]) found[table] = 'changed';
    const [left] = await sql`
      select (select count(*) from public.avatars)::integer as avatars,
             (select count(*) from public.users where active_avatar_id is not null)::integer as users,
             (select count(*) from public.posts where avatar_id is not null)::integer as posts,
             (select count(*) from public.follows where avatar_id is not null)::integer as follows`;
    return { ...found, ...positive(left) };
  }
  if (users < template.users) {
    const [row] = await sql<{ count: number }[]>`select count(*)::integer as count from public.avatars`;
    return row?.count === users ? found : { ...found, avatars: row?.count };
  }
  const text = await readFile(new URL('./sql/wrong.sql', import.meta.url), 'utf8');
  const [row] = await sql.unsafe(text);
  // Users who are moved one by one are no run that ends, and what is built at the end of one is not missed.
  if (method.key === 'g') delete row?.columns_without_index;
  return { ...found, ...positive(row) };
}

function positive(row: Record<string, number> | undefined): Record<string, number> {
  return Object.fromEntries(Object.entries(row ?? {}).filter(([, count]) => count !== 0));
}
