/** The edge functions among callers who hang up, other callers, and a database that goes away. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { avatarFaults, expectAllMigrated } from '../support/avatars.ts';
import { type Answer, value } from '../support/call.ts';
import { passForLarge } from '../support/callers.ts';
import { testCluster } from '../support/cluster.ts';
import { freshDatabase } from '../support/database.ts';
import type { Caller } from '../support/functions.ts';
import { checksums, migrateAll } from '../support/imago.ts';
import {
  atCall,
  BATCH,
  behind,
  db,
  KEY,
  moved,
  project,
  quiet,
  STREAM,
  USERS,
} from '../support/small-batches.ts';

describe('a caller who hangs up', () => {
  test.each([
    ['in a migration, waiting for the result', {}],
    ['in a migration, reading a stream', STREAM],
  ])('%s: the running batch ends whole, it is the last, and a later call finishes', async (_, headers) => {
    const own = await behind();
    const hangUp = new AbortController();
    const batch = Promise.withResolvers<void>();
    atCall('migrate_batch', 4, async (pass) => {
      const answer = pass();
      hangUp.abort();
      await expect(reply).rejects.toThrow('abort');
      const ended = await answer;
      batch.resolve();
      return ended;
    });
    const reply = project
      .send(KEY, 'migrate', { json: {}, headers, signal: hangUp.signal })
      .then((response) => response.text());
    await batch.promise;
    await quiet();

    expect(project.asked.filter((name) => name === 'migrate_batch')).toHaveLength(4);
    expect(await moved(own)).toBe(4 * BATCH);
    expect(await value(own.sql, 'select count(*)::int from avatars')).toBe(4 * BATCH);
    expect(await value(own.sql, 'select state from imago.run')).toBe('running');

    const last = await project.call(KEY, 'migrate', { json: {} });
    expect(last.json).toMatchObject({ status: 'done', has_more: false, migrated: USERS - 4 * BATCH });
    await expectAllMigrated(own.sql);
  });

  test('in the middle of a rollback: the running batch ends whole, it is the last, and a later call goes on', async () => {
    const own = await behind();
    const before = await checksums(own.sql);
    await migrateAll(own.sql, { batch_size: BATCH });
    const hangUp = new AbortController();
    const batch = Promise.withResolvers<void>();
    atCall('rollback_batch', 2, async (pass) => {
      const answer = pass();
      hangUp.abort();
      await expect(reply).rejects.toThrow('abort');
      const ended = await answer;
      batch.resolve();
      return ended;
    });
    const json = { all: true, confirm: 'avatars' };
    const reply = project.send(KEY, 'rollback', { json, signal: hangUp.signal });
    await batch.promise;
    await quiet();
    expect(project.asked.filter((name) => name === 'rollback_batch')).toHaveLength(2);
    const left = await moved(own);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(USERS);

    expect((await project.call(KEY, 'rollback', { json })).json).toMatchObject({
      status: 'done',
      has_more: false,
      rolled_back: left,
    });
    expect(await checksums(own.sql)).toEqual(before);
  });
});

describe('several callers at once', () => {
  test('ten migrate and then roll back: every row is right, every user has one avatar, and all is as it was', async () => {
    const own = await freshDatabase({ app: 'sample', users: 800 });
    await passForLarge(own.connect({ role: 'supabase_admin' }));
    await project.use(own);
    onTestFinished(async () => {
      await project.use(db);
      await own.drop();
    });
    const before = await checksums(own.sql);
    const rows = await value<number>(
      own.sql,
      'select count(*)::int from (select from posts union all select from follows) t',
    );
    expect(rows).toBeGreaterThan(4_000);

    const callers: Caller[] = [
      'operator',
      'secret key default',
      'secret key grafana',
      'operator by supabase-js',
    ];
    const atOnce = (name: string, json: object, who: Caller[]) =>
      Promise.all(
        Array.from({ length: 10 }, (_, i) => project.call(who[i % who.length] as Caller, name, { json })),
      );
    const sum = (replies: { json: Answer }[], field: string) =>
      replies.reduce((total, { json }) => total + json[field], 0);

    const replies = await atOnce('migrate', { batch_size: 40, max_seconds: 60 }, callers);
    expect(replies.map(({ status, json }) => [status, json.has_more])).toEqual(
      replies.map(() => [200, false]),
    );
    expect(sum(replies, 'migrated')).toBe(800);
    expect(sum(replies, 'failed')).toBe(0);
    await expectAllMigrated(own.sql);
    expect(await value(own.sql, 'select count(*)::int from imago.run')).toBe(1);

    const json = { all: true, confirm: 'avatars', max_seconds: 60 };
    const back = await atOnce('rollback', json, ['secret key default']);
    expect(back.map(({ status, json }) => [status, json.has_more])).toEqual(back.map(() => [200, false]));
    expect(sum(back, 'rolled_back')).toBe(800);
    expect(await checksums(own.sql)).toEqual(before);
  });

  test('one pauses, one cancels: the one that migrates stops after the running batch and begins nothing', async () => {
    for (const [action, state] of [
      ['pause', 'paused'],
      ['cancel', 'cancelled'],
    ]) {
      const own = await behind();
      atCall('migrate_batch', 3, async () => {
        const { status } = await project.call('operator', 'migrate', { json: { action } });
        expect(status).toBe(200);
      });
      const { status, json } = await project.call(KEY, 'migrate', { json: {} });
      expect([status, json.status]).toEqual([200, state]);
      expect(json).toMatchObject({ migrated: 2 * BATCH, has_more: true });
      const runs = await own.sql`select state from imago.run order by id`;
      expect([...runs]).toEqual([{ state }]);
      expect(await moved(own)).toBe(2 * BATCH);
    }
  });
});

describe('a database', () => {
  test('whose reply was lost after the commit: 503, and a later call goes on from there', async () => {
    const own = await behind();
    atCall('migrate_batch', 3, async (pass) => {
      await pass();
      return new Response('', { status: 504 });
    });
    const lost = await project.call(KEY, 'migrate', { json: {} });
    expect([lost.status, lost.json.code]).toEqual([503, 'unavailable']);
    expect(await moved(own)).toBe(3 * BATCH);
    const last = await project.call(KEY, 'migrate', { json: {} });
    expect(last.json).toMatchObject({ status: 'done', migrated: USERS - 3 * BATCH });
    await expectAllMigrated(own.sql);
  });

  test('that crashes in the middle of a batch and comes back: 503 and Retry-After meanwhile, nothing is lost', async () => {
    const cluster = await testCluster();
    onTestFinished(cluster.remove);
    const own = await behind({ on: cluster });
    const before = await checksums(own.sql);

    atCall('migrate_batch', 4, async (pass) => {
      const answer = pass();
      await cluster.crash();
      return await answer;
    });
    const away = [
      await project.call(KEY, 'migrate', { json: {} }),
      await project.call(KEY, 'migrate', { json: {} }),
      await project.call(KEY, 'migrate', { json: { action: 'pause' } }),
      await project.call(KEY, 'migrate', { json: {}, headers: STREAM }),
      await project.call(KEY, 'rollback', { json: { all: true, confirm: 'avatars' } }),
      await project.call('viewer', 'progress', { method: 'GET' }),
      await project.call('viewer', 'progress', { method: 'GET', query: '?format=prometheus' }),
      await project.call('viewer', 'validate', { json: {} }),
    ];
    for (const { status, headers, json } of away) {
      expect([status, json]).toEqual([
        503,
        { code: 'unavailable', message: expect.any(String), hint: expect.any(String) },
      ]);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(headers.get('access-control-allow-origin')).toBe('*');
    }
    // Who may not is told so, whether there is a database or not.
    expect((await project.call('nobody', 'progress', { method: 'GET' })).status).toBe(403);

    await cluster.restart();
    const whole = await moved(own);
    expect(whole % BATCH).toBe(0);
    expect(await avatarFaults(own.sql)).toMatchObject({ users_with_two_default_avatars: 0 });
    const last = await project.call(KEY, 'migrate', { json: {} });
    expect([last.status, last.json]).toEqual([
      200,
      expect.objectContaining({ status: 'done', has_more: false }),
    ]);
    await expectAllMigrated(own.sql);
    const back = await project.call(KEY, 'rollback', { json: { all: true, confirm: 'avatars' } });
    expect(back.json).toMatchObject({ status: 'done', rolled_back: USERS });
    expect(await checksums(own.sql)).toEqual(before);
  });
});
