/** The edge functions among callers who hang up, other callers, and a database that goes away. */
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { avatarFaults, expectAllMigrated, prepareAll } from './support/avatars.ts';
import { type Answer, call, value } from './support/call.ts';
import { passForLarge } from './support/callers.ts';
import { testCluster } from './support/cluster.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from './support/database.ts';
import { type Caller, type FunctionsProject, passOn, startFunctions } from './support/functions.ts';
import { checksums, migrateAll } from './support/imago.ts';

const KEY: Caller = 'secret key default';
const STREAM = { accept: 'text/event-stream' };
/** Users of most of the databases, and how many a call moves. */
const USERS = 120;
const BATCH = 10;

let db: TestDatabase;
let project: FunctionsProject;

beforeAll(async () => {
  db = await freshDatabase();
  project = await startFunctions(db);
});

afterAll(async () => {
  await project?.close();
  await db?.drop();
});

afterEach(() => {
  project.during = passOn;
  project.asked.length = 0;
});

/** Puts a database of its own behind the functions for one test; each call moves one small batch. */
async function behind(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const fresh = await freshDatabase({ app: 'sample', users: USERS, ...options });
  await prepareAll(fresh.sql);
  await fresh.sql.unsafe(`
    alter table imago.setting drop constraint max_sub_batches_is_2_or_more;
    update imago.setting set value = '1' where name = 'max_sub_batches';
    create function public.small() returns trigger language plpgsql as
      'begin new.batch_size := ${BATCH}; return new; end';
    create trigger small before insert or update on imago.lane for each row execute function public.small()`);
  await project.use(fresh);
  onTestFinished(async () => {
    await project.use(db);
    await fresh.drop();
  });
  return fresh;
}

/** Does something at the nth call of a SQL function: in place of the database if it answers, else before it. */
function atCall(name: string, n: number, act: (pass: () => Promise<Response>) => Promise<unknown>): void {
  let calls = 0;
  project.during = async (called, pass) => {
    if (called !== name || ++calls !== n) return await pass();
    const answer = await act(pass);
    return answer instanceof Response ? answer : await pass();
  };
}

/** Comes back when Deno has answered a few requests: what it was about to do before, it has done. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 3; i += 1) await project.call('viewer', 'progress', { method: 'GET' });
}

const moved = async ({ sql }: TestDatabase) =>
  await value<number>(sql, 'select count(*)::int from users where active_avatar_id is not null');

/** The events of a stream as they come. */
async function* events(response: Response): AsyncGenerator<{ event: string; data: Answer }> {
  let text = '';
  for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(
    new TextDecoderStream(),
  )) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event = '', data = ''] = /^event: (\w+)\ndata: (.+)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      yield { event, data: JSON.parse(data) };
    }
  }
  expect(text).toBe('');
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of values) list.push(item);
  return list;
}

describe('a caller who hangs up', () => {
  test.each([
    ['and waits for the result', {}],
    ['and reads a stream', STREAM],
  ])('%s: the running batch ends whole, it is the last, and a later call finishes', async (_, headers) => {
    const own = await behind();
    const hangUp = new AbortController();
    const batch = Promise.withResolvers<void>();
    atCall('migrate_batch', 4, async (pass) => {
      const answer = pass();
      hangUp.abort();
      await expect(reply).rejects.toThrow('abort');
      batch.resolve();
      return await answer;
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

  test('in the middle of a rollback: the same', async () => {
    const own = await behind();
    const before = await checksums(own.sql);
    await migrateAll(own.sql, { batch_size: BATCH });
    const hangUp = new AbortController();
    const batch = Promise.withResolvers<void>();
    atCall('rollback_batch', 2, async (pass) => {
      const answer = pass();
      hangUp.abort();
      await expect(reply).rejects.toThrow('abort');
      batch.resolve();
      return await answer;
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
    const own = await freshDatabase({ app: 'sample', users: 2_000 });
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
    expect(rows).toBeGreaterThan(10_000);

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

    const replies = await atOnce('migrate', { batch_size: 100, max_seconds: 60 }, callers);
    expect(replies.map(({ status, json }) => [status, json.has_more])).toEqual(
      replies.map(() => [200, false]),
    );
    expect(sum(replies, 'migrated')).toBe(2_000);
    expect(sum(replies, 'failed')).toBe(0);
    await expectAllMigrated(own.sql);
    expect(await value(own.sql, 'select count(*)::int from imago.run')).toBe(1);

    const json = { all: true, confirm: 'avatars', max_seconds: 60 };
    const back = await atOnce('rollback', json, ['secret key default']);
    expect(back.map(({ status, json }) => [status, json.has_more])).toEqual(back.map(() => [200, false]));
    expect(sum(back, 'rolled_back')).toBe(2_000);
    expect(await checksums(own.sql)).toEqual(before);
  });

  test('one pauses, one cancels: who migrates stops after the running batch and begins nothing new', async () => {
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

describe('a run', () => {
  test('that is named is the only one that is worked on: who comes after its end opens no other', async () => {
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

describe('the time', () => {
  /** Makes every user take so long to move that the whole takes half a minute. */
  const slow = async ({ sql }: TestDatabase) =>
    await sql.unsafe(`
      create function public.slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.05); return new; end';
      create trigger slow before update on public.users for each row execute function public.slow()`);

  test.each(['migrate', 'rollback'])(
    'of %s is kept: it answers after a second of half a minute',
    async (name) => {
      const own = await behind();
      if (name === 'rollback') await migrateAll(own.sql);
      await slow(own);
      const started = performance.now();
      const more = name === 'migrate' ? {} : { all: true, confirm: 'avatars' };
      const { status, json } = await project.call(KEY, name, { json: { max_seconds: 1, ...more } });
      expect(performance.now() - started).toBeLessThan(5_000);
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
    const started = performance.now();
    const { status, json } = await project.call(KEY, 'migrate', { json: { max_seconds: 1 } });
    expect(performance.now() - started).toBeLessThan(5_000);
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
