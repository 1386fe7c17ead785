/** What the edge functions share, on a database: statuses, driving, metrics, the log of requests. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { type BatchAnswer, batchAnswer } from '../../functions/_shared/answers.ts';
import { type Direction, drive, type Totals } from '../../functions/_shared/driving.ts';
import { metrics } from '../../functions/_shared/metrics.ts';
import { statusRules } from '../../functions/_shared/statuses.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';

async function database(users = 50, avatars?: 'prepared' | 'migrated'): Promise<TestDatabase> {
  const db = await freshDatabase({ app: users > 0 ? 'sample' : 'none', users, ...(avatars && { avatars }) });
  onTestFinished(() => db.drop());
  return db;
}

/** A database that no call can bring to its end. */
async function inSmallSteps(): Promise<TestDatabase> {
  const db = await database(50, 'prepared');
  await db.sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
  return db;
}

test('the statuses name each error of imago.error once, and no other', async () => {
  const db = await database(0);
  const rows = await db.sql<{ code: string }[]>`select code from imago.error order by code`;
  const named = statusRules.flatMap(({ codes }) => codes.filter((code) => code.startsWith('IM')));
  expect(named.toSorted()).toEqual(rows.map(({ code }) => code));
});

describe('driving batches for a request', () => {
  /** Drives batches as the functions do, but by SQL; `before` comes before each batch with its number. */
  function driven(
    db: TestDatabase,
    options: {
      direction?: Direction;
      maxSeconds?: number;
      signal?: AbortSignal;
      run?: number;
      before?: (number: number) => Promise<unknown>;
    } = {},
  ): AsyncGenerator<Totals, void, void> {
    let number = 0;
    return drive({
      plan: 'avatars',
      direction: options.direction ?? 'forward',
      maxSeconds: options.maxSeconds ?? 60,
      run: options.run,
      signal: options.signal ?? new AbortController().signal,
      batch: async (direction, max_ms, run = undefined) => {
        number += 1;
        await options.before?.(number);
        const args = { max_ms, ...(run !== undefined && { run }) };
        const answer =
          direction === 'forward'
            ? await call(db.sql, 'migrate_batch', { ...args, batch_size: 5 })
            : await call(db.sql, 'rollback_batch', args);
        return batchAnswer.parse(answer);
      },
    });
  }

  async function all(values: AsyncGenerator<Totals, void, void>): Promise<Totals[]> {
    const seen: Totals[] = [];
    for await (const totals of values) seen.push(totals);
    return seen;
  }

  const unfinished = (db: TestDatabase) =>
    value<number>(
      db.sql,
      `select count(*)::integer from imago.run where state in ('pending', 'running', 'paused')`,
    );

  test('sums up the answers of all batches, forward and back', async () => {
    const db = await database();
    const forward = (await all(driven(db))).at(-1);
    expect(forward).toMatchObject({
      status: 'done',
      has_more: false,
      processed: 50,
      migrated: 50,
      failed: 0,
    });
    expect(forward?.rows['public.avatars']).toBe(50);
    const back = (await all(driven(db, { direction: 'rollback' }))).at(-1);
    expect(back).toMatchObject({ status: 'done', direction: 'rollback', has_more: false, rolled_back: 50 });
    expect(await unfinished(db)).toBe(0);
  });

  test('stops when its time is used, and says that there is more', async () => {
    const db = await database(200);
    // All of them would take ten seconds at least.
    await db.sql.unsafe(`
      create function public.slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.05); return new; end';
      create trigger slow before update on public.users for each row execute function public.slow()`);
    const last = (await all(driven(db, { maxSeconds: 1 }))).at(-1);
    expect(last).toMatchObject({ has_more: true });
  });

  test('stops after the running batch when the caller goes', async () => {
    const db = await inSmallSteps();
    const gone = new AbortController();
    const seen = await all(
      driven(db, {
        signal: gone.signal,
        before: async (number) => number === 2 && gone.abort(),
      }),
    );
    expect(seen.at(-1)).toMatchObject({ calls: 2, has_more: true });
  });

  test('does not begin again a run that somebody cancels', async () => {
    const db = await inSmallSteps();
    const before = async (number: number) => number === 2 && (await call(db.sql, 'cancel_migration'));
    const last = (await all(driven(db, { before }))).at(-1);
    expect(last).toMatchObject({ status: 'cancelled', calls: 2 });
    expect(await unfinished(db)).toBe(0);
  });

  test('does not begin again a run that another caller completes', async () => {
    const db = await inSmallSteps();
    const before = async (number: number) => number === 2 && (await migrateAll(db.sql));
    const last = (await all(driven(db, { before }))).at(-1);
    expect(last).toMatchObject({ status: 'done', has_more: false, calls: 2 });
    expect(await value(db.sql, 'select count(*)::integer from imago.run')).toBe(1);
  });

  test('waits for a run that another caller is opening, and does not take it for the rollback before it', async () => {
    const db = await database(50, 'migrated');
    await rollbackAll(db.sql);
    await db.sql`update imago.setting set value = '50' where name = 'state_lock_timeout_ms'`;
    const other = db.connect();
    await other`begin`;
    await call(other, 'migrate_batch', { max_ms: 1, batch_size: 1 });
    const before = async (number: number) => number === 2 && (await other`commit`);
    const seen = await all(driven(db, { before }));
    expect(seen[0]).toMatchObject({ status: 'busy', run: null, direction: 'rollback' });
    expect(seen.at(-1)).toMatchObject({ status: 'done', direction: 'forward' });
    expect(await value(db.sql, 'select count(*)::integer from public.avatars')).toBe(50);
  });

  test('tells a request for a run that has ended, and opens no other', async () => {
    const db = await database(50, 'migrated');
    const run = await value<string>(db.sql, 'select id from imago.run');
    expect(await all(driven(db, { run: Number(run) }))).toMatchObject([
      { status: 'done', has_more: false, calls: 1 },
    ]);
    expect(await value(db.sql, 'select count(*)::integer from imago.run')).toBe(1);
  });

  test('leaves a paused run paused', async () => {
    const db = await inSmallSteps();
    const before = async (number: number) => number === 2 && (await call(db.sql, 'pause_migration'));
    expect((await all(driven(db, { before }))).at(-1)).toMatchObject({ status: 'paused', has_more: true });
  });

  test('ends as failed, with everything back, when a run past its error budget takes itself back', async () => {
    const db = await database(200);
    await db.sql`alter table public.users add column poisoned boolean`;
    await migrateAllSteps(db);
    await db.sql`update public.users set poisoned = true where id in (select id from public.users order by id desc limit 50)`;
    await db.sql.unsafe(`
      create function public.refuse() returns trigger language plpgsql as $$ begin
        if (select u.poisoned from public.users u where u.id = new.owner_user_id) then raise exception 'no'; end if;
        return new; end $$;
      create trigger refuse before insert on public.avatars for each row execute function public.refuse()`);
    await call(db.sql, 'migrate_batch', {
      max_ms: 1,
      batch_size: 5,
      max_failures: '10',
      on_failure: 'rollback',
    });
    const settings = { max_failures: '10', on_failure: 'rollback' };
    const values = drive({
      plan: 'avatars',
      direction: 'forward',
      maxSeconds: 60,
      signal: new AbortController().signal,
      batch: async (direction, max_ms, run = undefined): Promise<BatchAnswer> => {
        const args = { max_ms, ...(run !== undefined && { run }) };
        return batchAnswer.parse(
          direction === 'forward'
            ? await call(db.sql, 'migrate_batch', { ...args, ...settings })
            : await call(db.sql, 'rollback_batch', args),
        );
      },
    });
    const last = (await all(values)).at(-1);
    expect(last).toMatchObject({ status: 'failed', direction: 'rollback', error: { code: 'IM020' } });
    expect(await value(db.sql, 'select count(*)::integer from public.avatars')).toBe(0);
    expect(await unfinished(db)).toBe(0);
  });

  /** Prepares the plan, so that the first batch moves users. */
  async function migrateAllSteps(db: TestDatabase): Promise<void> {
    while ((await call(db.sql, 'prepare_migration')).has_more);
  }
});

describe('metrics of a database', () => {
  const line = /^[a-z_]+\{[a-z]+="[^"\\\n]*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\} -?\d+(\.\d+)?(e-?\d+)?$/;

  test('are what the database says, in the format of Prometheus', async () => {
    const db = await database(50, 'migrated');
    const answers = await Promise.all(
      ['get_detailed_migration_progress', 'get_migration_performance_stats'].map((name) =>
        call(db.sql, name),
      ),
    );
    const text = metrics('avatars', Object.assign({}, ...answers));
    expect(text).toContain('imago_entities{plan="avatars",entities="users",state="migrated"} 50\n');
    expect(text).toContain('imago_run_state{plan="avatars",state="succeeded"} 1\n');
    expect(text).toContain('imago_completion_ratio{plan="avatars"} 1\n');
    expect(text).toContain('imago_rows_written_total{plan="avatars",relation="public.avatars"} 50\n');
    for (const quantile of ['0.5', '0.95', '0.99', '1'])
      expect(text).toContain(`imago_batch_seconds{plan="avatars",quantile="${quantile}"} `);
    const lines = text.trimEnd().split('\n');
    const samples = lines.filter((one) => !one.startsWith('#'));
    for (const sample of samples) expect(sample).toMatch(line);
    // Each metric is introduced once, and what has no figure is not there.
    const introduced = lines.filter((one) => one.startsWith('# TYPE')).map((one) => one.split(' ')[2]);
    expect(new Set(introduced).size).toBe(introduced.length);
    expect(new Set(samples.map((sample) => sample.split('{')[0]))).toEqual(new Set(introduced));
  });
});

describe('log_request', () => {
  test('writes who has asked for what, one line a request', async () => {
    const db = await database();
    await call(db.sql, 'log_request', { plan: 'avatars', action: 'run', caller: 'key:ci runner' });
    await migrateAll(db.sql);
    await call(db.sql, 'log_request', { plan: 'avatars', action: 'rollback_user', caller: 'user:8852cc27' });
    const lines = await db.sql`
      select run is not null as has_run, level, detail from public.migration_log where event = 'requested' order by created_at`;
    expect([...lines]).toEqual([
      { has_run: false, level: 'info', detail: { action: 'run', caller: 'key:ci runner' } },
      { has_run: true, level: 'info', detail: { action: 'rollback_user', caller: 'user:8852cc27' } },
    ]);
  });

  test('refuses what makes no sense, and all but the server, and writes nothing', async () => {
    const db = await database(0);
    for (const [code, args] of [
      ['IM001', { plan: 'nothing', action: 'run', caller: 'key:default' }],
      ['IM004', { plan: null, action: 'run', caller: 'key:default' }],
      ['IM015', { plan: 'avatars', action: null, caller: 'key:default' }],
      ['IM015', { plan: 'avatars', action: 'Run away', caller: 'key:default' }],
      ['IM015', { plan: 'avatars', action: 'run', caller: null }],
      ['IM015', { plan: 'avatars', action: 'run', caller: 'somebody' }],
      ['IM015', { plan: 'avatars', action: 'run', caller: 'key:a\nb' }],
    ] as const)
      expect([args, (await refusal(call(db.sql, 'log_request', args))).code]).toEqual([args, code]);
    for (const role of ['anon', 'authenticated'] as const) {
      const args = { plan: 'avatars', action: 'run', caller: 'key:default' };
      const { code } = await refusal(call(db.connect({ role, max: 1 }), 'log_request', args));
      expect([role, code]).toEqual([role, '42501']);
    }
    expect(await value(db.sql, `select count(*)::integer from imago.log where event = 'requested'`)).toBe(0);
  });
});
