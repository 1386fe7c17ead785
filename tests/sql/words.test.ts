/** What a plan moves is called as the plan says, wherever people read of it; the guide's names, which speak of users, are aliases. */
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { progressAnswer } from '../../functions/_shared/answers.ts';
import { metrics } from '../../functions/_shared/metrics.ts';
import { guideNames } from '../../functions/_shared/words.ts';
import { Terminal } from '../../scripts/command/terminal.ts';
import { Progress } from '../../scripts/migrate/progress.ts';
import { prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { messagesPlan, speaksOfUsers } from '../support/messages.ts';
import { PLAN } from '../support/plan.ts';

describe('the words of a plan', () => {
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

test('errors, metrics and the bar of a plan over the table messages say message', async () => {
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
  new Progress(terminal, { progress: progressAnswer.parse(progress), workers: 2 }).stop();
  expect(written).toContain('39 of 40 messages migrated');
  expect(written).not.toMatch(speaksOfUsers);
});
