/** The plans' views pending, asked for a few entities as each batch asks them: no table is read whole for that. */
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { createPlan, PLAN } from '../support/plan.ts';

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** A node of a plan of PostgreSQL's, as far as it is looked at. */
interface Node {
  'Relation Name'?: string;
  'Plan Rows': number;
  'Subplan Name'?: string;
  Filter?: string;
  Plans?: Node[];
}

/** A node and what is under it, without what is read only once a sync has failed: it stands behind that condition, hashed. */
const nodes = (node: Node): Node[] => [
  node,
  ...(node.Plans ?? [])
    .filter(
      ({ 'Subplan Name': name }) =>
        !node.Filter?.includes(`last_failed_sync`) || !node.Filter.includes(`hashed ${name})`),
    )
    .flatMap(nodes),
];

/** Tables of which the planner wants more than a tenth, to look up a few of their rows. */
async function readWhole(sql: Sql, plan: string, source: string, key: string): Promise<string[]> {
  const keys = await sql.unsafe<{ key: string }[]>(
    `select ${key}::text as key from ${source} order by ${key} offset 100 limit 20`,
  );
  const [row] = await sql.begin(async (tx) => {
    // As a batch has it.
    await tx`set local enable_seqscan = off`;
    return await tx.unsafe<{ 'QUERY PLAN': [{ Plan: Node }] }[]>(
      `explain (format json) select distinct entity from ${plan}.pending where entity = any ('{${keys
        .map((each) => each.key)
        .join(',')}}')`,
    );
  });
  return nodes((row?.['QUERY PLAN'][0].Plan ?? {}) as Node).flatMap((node) =>
    node['Relation Name'] && node['Plan Rows'] > users / 10 ? [node['Relation Name']] : [],
  );
}

const users = 4000;

describe.each([
  ['avatars', 'public.users', 'id'],
  ['profile_gigs', 'public."User"', 'id'],
  ['staging_to_production', 'public."Booking"', 'id'],
  ['resume_skills', 'public.users', 'id'],
])('the view pending of %s', (plan, source, key) => {
  test('is looked up by keys, half-way', async () => {
    const db = await freshDatabase(plan === 'avatars' ? { app: 'sample', users } : {});
    databases.push(db);
    if (plan !== 'avatars') {
      await db.sql`select set_config('sample.references', 'off', false)`;
      await createApp(db.sql, `tests/support/${plan}.sql`, users);
    }
    await prepareAll(db.sql, plan);
    await call(db.sql, 'migrate_batch', { plan, batch_size: 200, max_ms: 1 });
    await db.sql`analyze`;
    expect(await readWhole(db.sql, plan, source, key)).toEqual([]);
  });
});

test('a thousand keys are looked up, where the planner would rather read the whole table', async () => {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(`
    create table public.contacts (id integer primary key, email text, name text);
    insert into public.contacts select i, 'e' || i / 2, repeat('x', 50) from generate_series(1, 40000) i;
    create index on public.contacts (email)`);
  await createPlan(db.sql, {
    table: 'contacts',
    key: 'id',
    keyType: 'integer',
    pending: 'exists (select from public.contacts d where d.email = s.email and d.id < s.id)',
    apply: `update public.contacts set email = 'u' || id where id = any (keys);`,
    writes: [{ relation: 'public.contacts', entity: 'id', columns: ['email'] }],
  });
  await prepareAll(db.sql, PLAN);
  await db.sql`vacuum analyze public.contacts`;
  // A session that has read nothing yet.
  const [read] = await db.connect({ max: 1 }).begin(async (tx) => {
    await tx`select imago.pending_keys(imago.find_plan(${PLAN}), array(select i::text from generate_series(1, 1000) i))`;
    return await tx<{ rows: number }[]>`
      select (idx_tup_fetch + seq_tup_read)::integer as rows from pg_stat_xact_user_tables where relid = 'public.contacts'::regclass`;
  });
  // The keys, and those with the same address.
  expect(read?.rows).toBeLessThan(5000);
});
