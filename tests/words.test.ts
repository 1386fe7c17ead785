/** What a plan moves is called as the plan says, wherever people read of it; the guide's names, which speak of users, are aliases. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { metrics } from '../functions/_shared/metrics.ts';
import { guideNames } from '../functions/_shared/words.ts';
import { Terminal } from '../scripts/command/terminal.ts';
import { Progress } from '../scripts/migrate/progress.ts';
import { prepareAll } from './support/avatars.ts';
import { type Answer, call, refusal } from './support/call.ts';
import { freshProject, runCommand } from './support/command.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { migrateAll } from './support/imago.ts';
import { createPlan, PLAN } from './support/plan.ts';

/** Forty messages, of which the fifth cannot be moved. */
async function messagesPlan(sql: Sql): Promise<void> {
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

describe('in SQL', () => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await freshDatabase({ app: 'sample', users: 40 });
  });
  afterAll(() => db.drop());

  test.each([
    ['messages', 'message'],
    ['BookingRequests', 'BookingRequest'],
    ['USERS', 'USER'],
    ['User', 'User'],
    ['order_items', 'order_item'],
    ['statuses', 'statuses'],
    ['status', 'status'],
    ['analysis', 'analysis'],
    ['address', 'address'],
    ['companies', 'companies'],
    ['boxes', 'boxes'],
    ['news', 'news'],
    ['s', 's'],
  ])('a plan over the table %s that says nothing calls one entity %s', async (table, singular) => {
    const [words] = await db.sql`
      select w.* from jsonb_populate_record(null::imago.plan, ${db.sql.json({ source_table: table })}) p
      cross join lateral imago.entity_words(p) w`;
    expect(words).toEqual({ singular, plural: table });
  });

  test.each([
    ['avatars', 'user', 'users'],
    ['profile_gigs', 'freelancer', 'freelancers'],
    ['resume_skills', 'user', 'users'],
    ['staging_to_production', 'image or booking', 'images and bookings'],
  ])('the plan %s says %s and %s', async (plan, singular, plural) => {
    const [row] = await db.sql`select imago.plan_words(imago.find_plan(${plan})) as words`;
    expect(row?.words).toEqual({ entity_singular: singular, entity_plural: plural });
  });

  test('a plan that gives one of the two words alone is refused', async () => {
    const half = db.sql`select imago.create_plan('half', 'Half', 'public', 'users', 'id', entity_singular => 'user')`;
    expect((await refusal(half)).code).toBe('23514');
  });

  test("every name of the guide stands beside a neutral one with the same figure, in the guide's plan", async () => {
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_users_batch', { batch_size: 10 });
    const progress = await call(db.sql, 'get_detailed_migration_progress');
    const statistics = await call(db.sql, 'get_migration_statistics');
    const performance = await call(db.sql, 'get_migration_performance_stats');
    const pairs = (answer: Answer, names: Record<string, string>) => {
      for (const [neutral, guide] of Object.entries(names))
        expect([neutral, typeof answer[neutral], answer[neutral]]).toEqual([
          neutral,
          'number',
          answer[guide],
        ]);
      return Object.values(names);
    };
    const seen = [
      ...pairs(progress, {
        total: 'total_users',
        migrated: 'migrated_users',
        pending: 'pending_users',
        failed: 'failed_users',
        held: 'held_users',
        percentage: 'migration_completion_percentage',
        per_minute: 'users_per_minute',
      }),
      ...pairs(statistics, {
        total: 'total_users',
        migrated: 'migrated_users',
        pending: 'users_needing_migration',
        percentage: 'migration_completion_percentage',
      }),
      ...pairs(performance, {
        per_minute_now: 'users_per_minute_now',
        per_minute_average: 'users_per_minute_average',
        average_ms_per_entity: 'average_ms_per_user',
        wal_bytes_per_entity: 'wal_bytes_per_user',
      }),
    ];
    expect(new Set(seen)).toEqual(guideNames);
    expect(progress).toMatchObject({ entity_plural: 'users', migrated: 10, pending: 30, remaining: 30 });
  });
});

describe('for a plan over the table messages', () => {
  const speaksOfUsers = /users?\b|users?_/i;

  test('the command says messages, and nothing that it says speaks of users', async () => {
    const { db, environment } = await freshProject({ app: 'none' });
    await messagesPlan(db.sql);
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-words-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const said = async (script: string, ...args: string[]) => {
      const { stdout, stderr } = await runCommand(['--plan', PLAN, ...args], environment, {
        script: `scripts/${script}.ts`,
      });
      expect([args, stdout, stderr].filter((text) => speaksOfUsers.test(String(text)))).toEqual([]);
      return stdout;
    };
    expect(await said('migrate', '--dry-run=full')).toMatch(
      /1 message would be set aside.*40 messages, 39 moved/s,
    );
    expect(await said('migrate', '--yes')).toMatch(
      /All done except 1 message set aside.*39 messages in .*Messages/s,
    );
    expect(await said('migrate', '--stats-only')).toMatch(
      /messages a minute now.*39 of 40 messages migrated/s,
    );
    const json = JSON.parse(await said('migrate', '--stats-only', '--json'));
    expect(json.progress).toMatchObject({
      entity_singular: 'message',
      entity_plural: 'messages',
      total: 40,
      migrated: 39,
      pending: 1,
      failed: 1,
      remaining: 0,
      percentage: 97.5,
    });
    expect(json.statistics).toMatchObject({ total: 40, migrated: 39, pending: 1, percentage: 97.5 });
    expect(await said('migrate', '--watch', '--json')).toContain('"remaining":0');
    expect(await said('migrate', '--finalize', '--dry-run')).toContain('1 message set aside (5)');
    await db.sql`update public.messages set words = 100 where id = 7`;
    const report = path.join(folder, 'report.html');
    await said('validate', '--report', report);
    const html = await readFile(report, 'utf8');
    expect(html).toContain('Messages a minute');
    expect(html).toContain('it moved 39 messages');
    expect(html).toContain('Set aside for a retry: 1 message.');
    expect(html).not.toMatch(speaksOfUsers);
    expect(await said('migrate', '--rollback', '--yes')).toMatch(
      /All taken back except 1 message with conflicts/,
    );
    expect(await said('migrate', '--retry-failed', '--yes', '--json')).toContain('"action":"retry-failed"');

    const log = await db.sql`select l::text as line from public.migration_log l`;
    expect(log.map(({ line }) => line).filter((line) => speaksOfUsers.test(line))).toEqual([]);
    expect(log.map(({ line }) => line).join('\n')).toContain('1 message set aside');
  });

  test('errors and metrics say message, and the bar messages', async () => {
    const db = await freshDatabase({ app: 'none' });
    onTestFinished(() => db.drop());
    const { sql } = db;
    await messagesPlan(sql);
    await migrateAll(sql, { plan: PLAN });
    const errors = [
      await refusal(call(sql, 'migrate_entity', { plan: PLAN, entity: '5' })),
      await refusal(call(sql, 'migrate_entity', { plan: PLAN, entity: '41' })),
      await refusal(call(sql, 'finalize_migration', { plan: PLAN })),
    ];
    const told = errors.map(({ code, message, hint }) => `${code} ${message} ${hint}`);
    expect(told).toEqual([
      expect.stringContaining(`IM023 the message of plan ${PLAN} could not be moved`),
      expect.stringContaining(`IM013 plan ${PLAN} knows no message with this key`),
      expect.stringContaining('IM038 '),
    ]);
    expect(told.filter((text) => speaksOfUsers.test(text))).toEqual([]);

    const progress = await call(sql, 'get_detailed_migration_progress', { plan: PLAN });
    const performance = await call(sql, 'get_migration_performance_stats', { plan: PLAN });
    const text = metrics(PLAN, { ...progress, ...performance });
    expect(text).toContain(`imago_entities{plan="${PLAN}",entities="messages",state="migrated"} 39\n`);
    expect(text).not.toMatch(speaksOfUsers);

    let written = '';
    const stream = Object.assign(
      new Writable({
        write: (chunk, _, done) => {
          written += chunk;
          done();
        },
      }),
      { isTTY: true, columns: 200 },
    );
    const terminal = Object.defineProperty(new Terminal('info'), 'stream', { value: stream });
    const words = { entity_singular: progress.entity_singular, entity_plural: progress.entity_plural };
    new Progress(terminal, { words, done: 39, total: 40, failed: 1, workers: 2 }).stop();
    expect(written).toContain('39 of 40 messages');
    expect(written).not.toMatch(speaksOfUsers);
  });
});

test('for avatars the command says users, in the table and by the names of the guide', async () => {
  const { environment } = await freshProject({ users: 20 });
  const migrated = await runCommand(['--yes', '--json'], environment);
  const { progress, users_per_second, per_second } = migrated.json();
  expect(progress).toMatchObject({ total: 20, total_users: 20, entity_singular: 'user' });
  expect(users_per_second).toBe(per_second);
  const { stdout } = await runCommand(['--stats-only'], environment);
  expect(stdout).toMatch(/users a minute now.*Users.*20 of 20 users migrated/s);
});
