/** What a call of an edge function works on, how long, and what it tells meanwhile. */
import { describe, expect, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import type { TestDatabase } from '../support/database.ts';
import { checksums, migrateAll } from '../support/imago.ts';
import {
  all,
  atCall,
  BATCH,
  behind,
  events,
  KEY,
  moved,
  project,
  STREAM,
  USERS,
} from '../support/small-batches.ts';

describe('a run by requests', () => {
  test('that is named is the only one that is worked on: a request after its end opens no other', async () => {
    const own = await behind();
    atCall(
      'migrate_batch',
      3,
      async () => await project.call('operator', 'migrate', { json: { action: 'cancel' } }),
    );
    const { json } = await project.call(KEY, 'migrate', { json: {} });
    expect(json).toMatchObject({ status: 'cancelled', run: expect.any(Number) });
    const late = await project.call(KEY, 'migrate', { json: { run: json.run } });
    expect([late.status, late.json.status, late.json.run, late.json.migrated]).toEqual([
      200,
      'cancelled',
      json.run,
      0,
    ]);
    expect(await value(own.sql, 'select count(*)::int from imago.run')).toBe(1);
    expect(await moved(own)).toBe(2 * BATCH);
  });

  test('that used up its error budget and takes itself back is taken back, and has failed', async () => {
    const own = await behind();
    const before = await checksums(own.sql);
    const settings = { max_failures: '0', on_failure: 'rollback' };
    await call(own.sql, 'migrate_batch', settings);
    await own.sql`alter table avatars add constraint no_one check (name is null) not valid`;
    // A failing batch is halved within one call.
    await own.sql`update imago.setting set value = '50' where name = 'max_sub_batches'`;
    expect(await call(own.sql, 'migrate_batch', settings)).toMatchObject({
      status: 'failed',
      next: 'rollback',
    });
    const { status, json } = await project.call(KEY, 'migrate', { json: {} });
    expect([status, json.status, json.error?.code, json.has_more]).toEqual([200, 'failed', 'IM020', false]);
    expect(json.rolled_back).toBe(BATCH);
    expect(await checksums(own.sql)).toEqual(before);
    expect(await moved(own)).toBe(0);
  });
});

describe('the time that a request has, max_seconds', () => {
  /** Makes every user take so long to move that the whole takes half a minute. */
  const slow = async ({ sql }: TestDatabase) =>
    await sql.unsafe(`
      create function public.slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.05); return new; end';
      create trigger slow before update on public.users for each row execute function public.slow()`);

  test.each(['migrate', 'rollback'])(
    'is kept by %s, which answers after a second of half a minute’s work',
    async (name) => {
      const own = await behind();
      if (name === 'rollback') await migrateAll(own.sql);
      await slow(own);
      const more = name === 'migrate' ? {} : { all: true, confirm: 'avatars' };
      const { status, json } = await project.call(KEY, name, { json: { max_seconds: 1, ...more } });
      expect([status, json.status, json.has_more]).toEqual([200, 'working', true]);
      expect(json.migrated + json.rolled_back).toBeGreaterThan(0);
      expect(json.migrated + json.rolled_back).toBeLessThan(300);
    },
  );

  test('is kept also where all there is to do is to wait', async () => {
    const own = await behind();
    const lock = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const blocker = own.connect().begin(async (tx) => {
      await tx`select from public.users for update`;
      locked.resolve();
      await lock.promise;
    });
    await locked.promise;
    const { status, json } = await project.call(KEY, 'migrate', { json: { max_seconds: 1 } });
    // Answered while the lock is still held.
    lock.resolve();
    await blocker;
    expect(status).toBe(200);
    expect(json).toMatchObject({
      status: 'deferred',
      has_more: true,
      migrated: 0,
      retry_after_ms: expect.any(Number),
    });
    expect((await project.call(KEY, 'migrate', { json: {} })).json).toMatchObject({
      status: 'done',
      migrated: USERS,
    });
    await expectAllMigrated(own.sql);
  });
});

describe('a stream', () => {
  test('tells the totals after each batch, and the last once more as done', async () => {
    const own = await behind();
    const response = await project.send(KEY, 'migrate', { json: {}, headers: STREAM });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const told = await all(events(response));
    const done = told.pop();
    expect(told.map(({ event }) => event)).toEqual(told.map(() => 'progress'));
    expect(done).toEqual({ event: 'done', data: told.at(-1)?.data });
    expect(done?.data).toMatchObject({ plan: 'avatars', status: 'done', has_more: false, migrated: USERS });
    expect(told.length).toBe(project.asked.filter((name) => name === 'migrate_batch').length);
    expect(told.map(({ data }) => data.calls)).toEqual(told.map((_, i) => i + 1));
    const numbers = told.map(({ data }) => data.migrated);
    expect(numbers.slice(0, 3)).toEqual([BATCH, 2 * BATCH, 3 * BATCH]);
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    await expectAllMigrated(own.sql);

    const json = { all: true, confirm: 'avatars' };
    const back = await all(events(await project.send(KEY, 'rollback', { json, headers: STREAM })));
    expect(back.at(-1)).toMatchObject({ event: 'done', data: { status: 'done', rolled_back: USERS } });
  });

  test('comes as it goes: the first event is there while the second batch runs', async () => {
    await behind();
    const first = Promise.withResolvers<void>();
    // Were it all sent at the end, this would wait for ever.
    atCall('migrate_batch', 3, async () => await first.promise);
    const response = await project.send(KEY, 'migrate', { json: {}, headers: STREAM });
    const told: string[] = [];
    for await (const { event } of events(response)) {
      told.push(event);
      first.resolve();
    }
    expect(told.at(-1)).toBe('done');
  });

  test('that cannot begin is an ordinary error; one that fails later ends with an error', async () => {
    await behind();
    const unknown = await project.call(KEY, 'migrate', { json: { plan: 'nothing' }, headers: STREAM });
    expect([unknown.status, unknown.json.code]).toEqual([404, 'IM001']);

    atCall('migrate_batch', 3, async () => new Response('<h1>Bad gateway</h1>', { status: 502 }));
    const told = await all(events(await project.send(KEY, 'migrate', { json: {}, headers: STREAM })));
    expect(told.map(({ event }) => event)).toEqual(['progress', 'progress', 'error']);
    expect(told.at(-1)?.data).toEqual({
      code: 'unavailable',
      message: expect.any(String),
      hint: expect.any(String),
    });
  });
});
