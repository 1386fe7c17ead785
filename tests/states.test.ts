import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from './support/avatars.ts';
import { type Answer, call, refusal, value } from './support/call.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { migrateAll, rollbackAll } from './support/imago.ts';
import { startWithLanes } from './support/lanes.ts';
import { pidOf, until, untilBlocked } from './support/until.ts';

const STATES = ['pending', 'running', 'paused', 'succeeded', 'failed', 'cancelled'];
const EVENTS = ['start', 'pause', 'resume', 'cancel', 'succeed', 'fail', 'retry', 'supersede'];

/** Every edge of the state machine, as the design has it: "event state -> next state". */
const EDGES: Record<string, string> = {
  'start pending': 'running',
  'pause pending': 'paused',
  'pause running': 'paused',
  'resume paused': 'running',
  'cancel pending': 'cancelled',
  'cancel running': 'cancelled',
  'cancel paused': 'cancelled',
  'cancel failed': 'cancelled',
  'succeed running': 'succeeded',
  'fail running': 'failed',
  'retry failed': 'running',
  'supersede pending': 'cancelled',
  'supersede running': 'cancelled',
  'supersede paused': 'cancelled',
};

/** What people may ask for in each state. */
const ALLOWED: Record<string, string> = {
  pending: 'cancel, pause',
  running: 'cancel, pause',
  paused: 'cancel, resume',
  succeeded: 'nothing; migrate_batch starts a new run',
  failed: 'cancel, retry',
  cancelled: 'nothing; migrate_batch starts a new run',
};

const databases: TestDatabase[] = [];

async function database(users: number): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** A run in a state, made by hand. */
async function runIn(db: TestDatabase, state: string): Promise<string> {
  await db.sql`delete from imago.run`;
  return await value<string>(
    db.sql,
    `insert into imago.run (plan, direction, state, total) values ('avatars', 'forward', $1, 10) returning id`,
    [state],
  );
}

describe('the state machine', () => {
  test('is the table imago.transition, a sentence an edge', async () => {
    const db = await database(1);
    const edges =
      await db.sql`select event || ' ' || from_state as edge, to_state, sentence from imago.transition`;
    expect(Object.fromEntries(edges.map((row) => [row.edge, row.to_state]))).toEqual(EDGES);
    for (const row of edges) expect(row.sentence).toMatch(/^[A-Z].*\.$/);
  });

  test('every edge happens and is logged; every other is refused with IM008 and names the allowed ones', async () => {
    const db = await database(1);
    for (const state of STATES) {
      for (const event of EVENTS) {
        const run = await runIn(db, state);
        const edge = `${event} ${state}`;
        const next = EDGES[edge];
        const transit = db.sql`select imago.transit(${run}, ${event}, 'because') as state`;
        if (next) {
          expect([edge, (await transit)[0]?.state]).toEqual([edge, next]);
          const [log] = await db.sql`
            select level, detail from public.migration_log where event = 'state' order by created_at desc limit 1`;
          expect(log).toMatchObject({
            level: next === 'failed' ? 'error' : 'info',
            detail: { event, from: state, to: next, reason: 'because' },
          });
          const [row] = await db.sql`
            select state, started_at is not null as started, finished_at is not null as finished from imago.run where id = ${run}`;
          expect(row?.state).toBe(next);
          expect(row?.finished).toBe(['succeeded', 'failed', 'cancelled'].includes(next));
          if (next === 'running') expect(row?.started).toBe(true);
        } else {
          const error = await refusal(transit);
          expect([edge, error.code, error.message, error.hint]).toEqual([
            edge,
            'IM008',
            `cannot ${event}: the run of plan avatars is ${state}`,
            `Allowed now: ${ALLOWED[state]}.`,
          ]);
          expect(await value(db.sql, 'select state from imago.run where id = $1', [run])).toBe(state);
        }
      }
    }
  });

  test.each([
    ['pause_migration', 'pause'],
    ['resume_migration', 'resume'],
    ['cancel_migration', 'cancel'],
    ['retry_failed_migrations', 'retry'],
  ])('%s, in each state', async (name, event) => {
    const db = await database(1);
    expect((await refusal(call(db.sql, name))).code).toBe('IM022');
    for (const state of STATES) {
      const run = await runIn(db, state);
      // Failures of a run that goes on may be retried as well; its state stays.
      const next =
        EDGES[`${event} ${state}`] ?? (event === 'retry' && state === 'running' ? 'running' : undefined);
      if (next) {
        expect(await call(db.sql, name, { plan: 'avatars' })).toMatchObject({
          plan: 'avatars',
          run: Number(run),
          state: next,
        });
      } else {
        const error = await refusal(call(db.sql, name, { plan: 'avatars' }));
        expect([state, error.code, error.hint]).toEqual([state, 'IM008', `Allowed now: ${ALLOWED[state]}.`]);
      }
    }
  });

  test('at most one unfinished run a plan', async () => {
    const db = await database(30);
    for (const state of ['pending', 'running', 'paused']) {
      await runIn(db, state);
      for (const second of ['pending', 'running', 'paused']) {
        const error = await refusal(
          db.sql`insert into imago.run (plan, direction, state) values ('avatars', 'rollback', ${second})`,
        );
        expect([error.code, error.constraint_name]).toEqual(['23505', 'run_unfinished_key']);
      }
    }
    await db.sql`delete from imago.run`;
    const callers = Array.from({ length: 10 }, () => db.connect());
    await Promise.all(callers.map((caller) => call(caller, 'migrate_batch', { max_ms: 1 })));
    expect(await value(db.sql, 'select count(*) from imago.run')).toBe('1');
  });
});

describe('a run under way', () => {
  /** Callers that go on until they are told that the run is paused or ended; each answers what it has seen. */
  function work(db: TestDatabase, callers: number): Promise<Answer[]>[] {
    return Array.from({ length: callers }, async () => {
      const caller = db.connect();
      const answers: Answer[] = [];
      do {
        answers.push(await call(caller, 'migrate_batch', { max_ms: 300, batch_size: 10 }));
      } while (answers.at(-1)?.has_more && !['paused', 'failed'].includes(answers.at(-1)?.status));
      return answers;
    });
  }

  /** Makes each batch take its time. */
  async function slow(db: TestDatabase, seconds: number): Promise<void> {
    await db.sql.unsafe(`
      create function public.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(${seconds}); return new; end $$;
      create trigger slow before update on public.users for each row execute function public.slow();`);
  }

  test('pauses although callers are at work all the time, loses nothing, and goes on when resumed', async () => {
    const db = await database(600);
    await prepareAll(db.sql);
    // Their calls overlap, so that somebody holds the run all the time.
    await slow(db, 0.005);
    await startWithLanes(db.sql, 8);
    const working = work(db, 6);
    await until('a third is moved', async () => {
      return (
        Number(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')) >=
        200
      );
    });

    const started = Date.now();
    expect(await call(db.sql, 'pause_migration')).toMatchObject({ state: 'paused' });
    // Batches in flight end within their 300 ms; six callers must not keep us waiting behind their next ones.
    expect(Date.now() - started).toBeLessThan(3000);
    const moved = await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null');
    for (const answers of await Promise.all(working)) {
      expect(answers.at(-1)).toMatchObject({ status: 'paused', has_more: true });
      for (const answer of answers) expect(['working', 'busy', 'paused']).toContain(answer.status);
    }
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')).toBe(
      moved,
    );
    expect(Number(moved)).toBeLessThan(600);
    expect((await refusal(call(db.sql, 'migrate_users_batch'))).code).toBe('IM019');

    await call(db.sql, 'resume_migration');
    for (const answers of await Promise.all(work(db, 6)))
      expect(answers.at(-1)).toMatchObject({ status: 'done' });
    await expectAllMigrated(db.sql);
  });

  test('answers busy while a transition is under way, and IM016 where there is nothing to answer', async () => {
    const db = await database(30);
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 5 });
    await db.sql`update imago.setting set value = '150' where name in ('state_lock_timeout_ms', 'lock_timeout_ms')`;
    const other = db.connect();
    await other`begin`;
    await call(other, 'pause_migration');
    expect(await call(db.sql, 'migrate_batch')).toMatchObject({
      status: 'busy',
      has_more: true,
      retry_after_ms: 50,
    });
    expect((await refusal(call(db.sql, 'migrate_users_batch'))).code).toBe('IM016');
    expect((await refusal(call(db.sql, 'cancel_migration'))).code).toBe('IM016');
    await other`rollback`;
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done' });
  });

  test('a transition waits for the batch in flight', async () => {
    const db = await database(40);
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 10 });
    const worker = db.connect();
    await worker`begin`;
    await call(worker, 'migrate_batch', { max_ms: 1, batch_size: 10 });
    const pauser = db.connect();
    const pid = await pidOf(pauser);
    const pausing = call(pauser, 'pause_migration');
    await untilBlocked(db.sql, pid);
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')).toBe(
      '10',
    );
    await worker`commit`;
    expect(await pausing).toMatchObject({ state: 'paused' });
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')).toBe(
      '20',
    );
  });

  test('cancelled, what was moved stays; the next call starts a new run, which skips it', async () => {
    const db = await database(50);
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 20 });
    expect(await call(db.sql, 'cancel_migration')).toMatchObject({ state: 'cancelled' });
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')).toBe(
      '20',
    );
    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', run: 2 });
    expect(answers.reduce((sum, answer) => sum + answer.migrated, 0)).toBe(30);
    expect(answers.reduce((sum, answer) => sum + answer.skipped, 0)).toBe(20);
    await expectAllMigrated(db.sql);
  });

  test('a paused run can be rolled back, and a rollback paused, resumed and finished', async () => {
    const db = await database(50);
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 20 });
    await call(db.sql, 'pause_migration');
    await call(db.sql, 'rollback_batch', { plan: 'avatars', max_ms: 1 });
    expect(await value(db.sql, `select state from imago.run where direction = 'forward'`)).toBe('cancelled');
    const [run] = await db.sql`select state from imago.run where direction = 'rollback'`;
    if (run?.state === 'running') {
      expect(await call(db.sql, 'pause_migration')).toMatchObject({ state: 'paused', direction: 'rollback' });
      expect(await call(db.sql, 'rollback_batch')).toMatchObject({ status: 'paused' });
      expect((await refusal(call(db.sql, 'migrate_batch'))).code).toBe('IM017');
      await call(db.sql, 'resume_migration');
    }
    expect((await rollbackAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')).toBe(
      '0',
    );
  });

  test('settings are fixed by the call that creates the run', async () => {
    const db = await database(50);
    const options = { backup: true, max_failures: '7', on_failure: 'rollback' };
    await call(db.sql, 'migrate_batch', options);
    for (const [argument, other, own] of [
      ['max_failures', { max_failures: '8' }, '7'],
      ['on_failure', { on_failure: 'stop' }, 'rollback'],
      ['backup', { backup: false, on_failure: 'stop' }, 'true'],
    ] as const) {
      const error = await refusal(call(db.sql, 'migrate_batch', { ...options, ...other }));
      expect([error.code, error.hint]).toEqual([
        'IM007',
        `Call with ${argument} ${own}, as the run was, or cancel the run first.`,
      ]);
    }
    // max_failures alone has no default that could contradict.
    expect(await call(db.sql, 'migrate_batch', { on_failure: 'rollback' })).toMatchObject({ error: null });
  });
});
