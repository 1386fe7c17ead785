import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { type Answer, call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { database, failures, mend, sum, trigger } from '../support/failures.ts';
import { checksums, migrateAll } from '../support/imago.ts';
import { startWithLanes } from '../support/lanes.ts';

describe('the error budget', () => {
  /** Every third user is refused. */
  async function poison(db: TestDatabase): Promise<void> {
    await db.sql`
      create table public.refused as
      select id from (select id, row_number() over (order by id) as n from public.users) u where n % 3 = 0`;
    await trigger(
      db,
      'avatars',
      'insert',
      `if exists (select from public.refused r where r.id = new.owner_user_id) then raise 'no'; end if;`,
    );
  }
  const last = async (db: TestDatabase, args: Record<string, unknown>) => {
    const answers: Answer[] = [];
    do {
      answers.push(await call(db.sql, 'migrate_batch', args));
    } while (answers.at(-1)?.has_more && answers.at(-1)?.status !== 'failed');
    return answers.at(-1) as Answer;
  };

  test.each([
    ['5', '6 of 5'],
    ['0', '1 of 0'],
    ['2%', '7 of 6'],
    [null, '101 of 100'],
  ])('max_failures %s: past it the run stops as failed', async (max_failures, reason) => {
    const db = await database(306);
    await poison(db);
    const answer = await last(db, { max_failures });
    expect(answer).toMatchObject({
      status: 'failed',
      state: 'failed',
      error: { code: 'IM020', message: `the run stopped: ${reason} allowed failures` },
      next: null,
    });
    expect((await failures(db)).length).toBe(Number(reason.split(' ')[0]));
    // It stays so until somebody decides; what was moved stays moved.
    const before = await checksums(db.sql, { users: [], posts: [] });
    expect(await call(db.sql, 'migrate_batch', { max_failures })).toMatchObject({
      status: 'failed',
      error: { code: 'IM020' },
    });
    expect(await checksums(db.sql, { users: [], posts: [] })).toEqual(before);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      state: 'failed',
      reason: `${reason} allowed failures`,
    });

    await mend(db);
    expect(await call(db.sql, 'retry_failed_migrations')).toMatchObject({ state: 'running' });
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(db.sql);
  });

  test('stops all callers, although somebody works on the run all the time', async () => {
    const db = await database(400);
    await poison(db);
    await startWithLanes(db.sql, 8, '5');
    const answers = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const caller = db.connect();
        for (;;) {
          const answer = await call(caller, 'migrate_batch', { max_ms: 100, batch_size: 10 });
          if (!answer.has_more || answer.status === 'failed') return answer;
        }
      }),
    );
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 'failed', error: { code: 'IM020' } });
    expect(await value(db.sql, 'select state from imago.run')).toBe('failed');
    // Each caller may have found some more before it heard of it, and no more than that.
    expect((await failures(db)).length).toBeLessThan(60);
  });

  test('as many failures as allowed do not stop the run', async () => {
    const db = await database(30);
    await poison(db);
    expect(await last(db, { max_failures: '10' })).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 10,
      error: null,
    });
  });

  test('with on_failure rollback the run takes itself back, in batches, and says so', async () => {
    const db = await freshDatabase({ app: 'sample', users: 300 });
    onTestFinished(db.drop);
    const original = await checksums(db.sql);
    await prepareAll(db.sql);
    await trigger(
      db,
      'avatars',
      'insert',
      `if new.owner_user_id in (select id from public.users order by id offset 200) then raise 'no'; end if;`,
    );
    const args = { max_failures: '3', on_failure: 'rollback', batch_size: 50 };
    const stopped = await last(db, args);
    expect(stopped).toMatchObject({
      status: 'failed',
      direction: 'forward',
      next: 'rollback',
      error: { code: 'IM020' },
    });
    expect(
      Number(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')),
    ).toBe(200);

    const back: Answer[] = [];
    do {
      back.push(await call(db.sql, 'migrate_batch', { ...args, max_ms: 1 }));
    } while (back.at(-1)?.has_more && back.at(-1)?.status !== 'failed');
    expect(back.length).toBeGreaterThan(1);
    expect(back.at(-1)).toMatchObject({
      status: 'failed',
      direction: 'rollback',
      state: 'succeeded',
      error: { code: 'IM020' },
    });
    expect(sum(back, 'rolled_back')).toBe(200);
    expect(await checksums(db.sql)).toEqual(original);
    expect(await db.sql`select direction, state, error_code, caused_by from imago.run order by id`).toEqual([
      { direction: 'forward', state: 'failed', error_code: 'IM020', caused_by: null },
      { direction: 'rollback', state: 'succeeded', error_code: null, caused_by: '1' },
    ]);
  });
});
