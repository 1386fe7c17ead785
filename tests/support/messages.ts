import type { Sql } from 'postgres';
import { createPlan } from './plan.ts';

/** What a plan over the table messages must not say. */
export const speaksOfUsers = /users?\b|users?_/i;

/** Forty messages, of which the fifth cannot be moved. */
export async function messagesPlan(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table public.messages (id integer primary key, body text, words integer check (words <> 5));
    insert into public.messages select i, 'message ' || i from generate_series(1, 40) i;`);
  await createPlan(sql, {
    table: 'messages',
    key: 'id',
    keyType: 'integer',
    pending: 's.words is null',
    apply: 'update public.messages m set words = m.id where m.id = any (keys) and m.words is null;',
    writes: [{ relation: 'public.messages', entity: 'id', columns: ['words'] }],
  });
}
