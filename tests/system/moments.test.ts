/** What Imago makes is in order at each moment of a plan and not only after a push: the catalogue, and Supabase's advisors. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runCli } from '../../scripts/supabase-cli.ts';
import { call } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import { everyPlan } from '../support/conformance/plans.ts';
import { finalize, prepare } from '../support/conformance/steps.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { faultsOfMade } from '../support/made.ts';

const report = z.object({ results: z.array(z.object({ name: z.string(), detail: z.string() })) });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'imago-advisors-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What `supabase db advisors` finds, from warnings on. */
async function advised(db: TestDatabase): Promise<string[]> {
  const { output } = await runCli(folder, [
    'db',
    'advisors',
    `--remote=${db.url}`,
    '--fail-on',
    'warn',
    '--output-format',
    'json',
  ]);
  const line = output.split('\n').find((text) => text.startsWith('{'));
  return report
    .parse(JSON.parse(line ?? output))
    .results.map(({ name, detail }) => `${name}: ${detail}`)
    .sort();
}

/** An app as its people reach it through the API, in a project whose default privileges open what is new, as those of old do. */
async function openToPeople(sql: Sql): Promise<void> {
  const tables = await sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`;
  for (const { name } of tables) {
    await sql.unsafe(
      `alter table ${name} enable row level security; grant all on ${name} to anon, authenticated, service_role`,
    );
    await sql.unsafe(`do $$ begin if not exists (select from pg_policy where polrelid = '${name}'::regclass) then
      create policy everybody on ${name} for select using (true); end if; end $$`);
  }
  await sql`alter default privileges in schema public grant all on tables to anon, authenticated, service_role`;
  await sql`alter default privileges in schema public grant all on functions to anon, authenticated, service_role`;
  await sql`alter default privileges grant all on tables to anon, authenticated, service_role`;
}

await everyPlan((plan, fixture) =>
  describe(`the plan ${plan}`, () => {
    let db: TestDatabase;
    let own: string[];
    beforeAll(async () => {
      db = await freshDatabase();
      await createApp(db.sql, fixture.app, 60);
      await openToPeople(db.sql);
      own = await advised(db);
    });
    afterAll(() => db.drop());

    // Each answer of the advisors takes a second or more. In the middle there is all that was prepared, after finalize
    // what stays.
    const moments: [when: string, isAsked: boolean, make: (sql: Sql) => Promise<unknown>][] = [
      ['after a push', false, async () => {}],
      ['when prepared', false, (sql) => prepare(sql, plan)],
      ['in the middle', true, (sql) => call(sql, 'migrate_batch', { plan, batch_size: 3, max_ms: 1 })],
      ['when all is moved', false, (sql) => migrateAll(sql, { plan })],
      ['after a rollback', false, (sql) => rollbackAll(sql, { plan })],
      ['when prepared again', false, (sql) => prepare(sql, plan)],
      [
        'after finalize',
        true,
        async (sql) => {
          await migrateAll(sql, { plan });
          await finalize(sql, plan, { allow_data_loss: true });
        },
      ],
      [
        'after clean-up',
        false,
        async (sql) => {
          while ((await call(sql, 'cleanup_migration', { plan, older_than: '0' })).has_more);
        },
      ],
    ];
    test.each(moments)(
      '%s: the catalogue is in order, and no advice is about Imago',
      async (_, isAsked, make) => {
        await make(db.sql);
        expect(await faultsOfMade(db.sql)).toEqual([]);
        if (isAsked) expect((await advised(db)).filter((line) => !own.includes(line))).toEqual([]);
      },
    );
  }),
);

test('the advisors of Supabase are asked: a careless function in a schema of Imago is found', async () => {
  const db = await freshDatabase();
  try {
    await db.sql`create function imago_undo.careless() returns integer language sql as 'select 1'`;
    expect(await advised(db)).toEqual([
      'function_search_path_mutable: Function `imago_undo.careless` has a role mutable search_path',
    ]);
    expect(await faultsOfMade(db.sql)).toEqual([
      'anon may execute imago_undo.careless()',
      'authenticated may execute imago_undo.careless()',
      'imago_undo.careless() has no comment',
      'imago_undo.careless() has no empty search_path',
      'public may execute imago_undo.careless()',
      'service_role may execute imago_undo.careless()',
    ]);
  } finally {
    await db.drop();
  }
});
