import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { startWithLanes } from '../support/lanes.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';

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
  'fail pending': 'failed',
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

async function database(users: number, avatars?: 'prepared' | 'migrated'): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users, ...(avatars && { avatars }) });
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
  test('is the table imago.transition, with a sentence for each edge', async () => {
    const db = await database(1);
    const edges =
      await db.sql`select event || ' ' || from_state as edge, to_state, sentence from imago.transition`;
    expect(Object.fromEntries(edges.map((row) => [row.edge, row.to_state]))).toEqual(EDGES);
    for (const row of edges) expect(row.sentence).toMatch(/^[A-Z].*\.$/);
  });

  test('takes every edge, and logs it; refuses every other with IM008 and names the allowed ones', async () => {
    const db = await database(1);
    for (const state of STATES) {
      for (const event of EVENTS) {
        const run = await runIn(db, state);
        const edge = `${event} ${state}`;
        const next = EDGES[edge];
        const transit = db.sql`select imago.transition_run(${run}, ${event}, 'because') as state`;
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
  ])('%s, in each state: does what that allows, else IM008', async (name, event) => {
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

  test('lets a plan have one unfinished run at most', async () => {
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
    const db = await database(600, 'prepared');
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

    expect(await call(db.sql, 'pause_migration')).toMatchObject({ state: 'paused' });
    const moved = await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null');
    for (const answers of await Promise.all(working)) {
      expect(answers.at(-1)).toMatchObject({ status: 'paused', has_more: true });
      for (const answer of answers) expect(['working', 'busy', 'paused']).toContain(answer.status);
    }
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')).toBe(
      moved,
    );
    // Who had waited behind the callers' next batches would have come when all are moved.
    expect(Number(moved)).toBeLessThan(600);
    expect((await refusal(call(db.sql, 'migrate_users_batch'))).code).toBe('IM019');

    await call(db.sql, 'resume_migration');
    for (const answers of await Promise.all(work(db, 6)))
      expect(answers.at(-1)).toMatchObject({ status: 'done' });
    await expectAllMigrated(db.sql);
  });

  test('answers busy while a transition is under way, and IM016 where there is nothing to answer', async () => {
    const db = await database(30, 'prepared');
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
    const db = await database(40, 'prepared');
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
    const db = await database(50, 'prepared');
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

  test.each([
    ['while the plan is prepared', 1],
    ['before its first batch', 0],
  ])('paused %s and resumed, the run begins', async (_, steps) => {
    const db = await database(30);
    if (steps === 0) await prepareAll(db.sql);
    await db.sql`select imago.open_run('avatars', 'forward')`;
    if (steps > 0) await call(db.sql, 'migrate_batch');
    await call(db.sql, 'pause_migration');
    expect(await call(db.sql, 'migrate_batch')).toMatchObject({ status: 'paused', processed: 0 });
    await call(db.sql, 'resume_migration');
    const run = await value(db.sql, 'select max(id) from imago.run');
    await Promise.all([migrateAll(db.connect()), migrateAll(db.connect())]);
    await expectAllMigrated(db.sql);
    // Who comes after its end opens another, which has nothing to do.
    expect(await value(db.sql, 'select state from imago.run where id = $1', [run])).toBe('succeeded');
  });

  test('a paused run can be rolled back, and a rollback paused, resumed and finished', async () => {
    const db = await database(50, 'prepared');
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
    // What a caller leaves out contradicts nothing.
    expect(await call(db.sql, 'migrate_batch', { on_failure: 'rollback' })).toMatchObject({ error: null });
    expect(await call(db.sql, 'migrate_batch')).toMatchObject({ error: null, run: 1 });
  });

  test('settings of a run without a journal stay to its end; a new run has the defaults again', async () => {
    const db = await database(50);
    const settings = () =>
      db.sql`select backup, max_failures, on_failure, force from imago.run order by id desc limit 1`;
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 10, backup: false });
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ state: 'succeeded', run: 1 });
    await call(db.sql, 'migrate_batch');
    expect([...(await settings())]).toEqual([
      { backup: true, max_failures: null, on_failure: 'stop', force: false },
    ]);
  });

  test.each(['pause_migration', 'cancel_migration'])(
    '%s does not wait for the end of a long call',
    async (name) => {
      const db = await database(400, 'prepared');
      await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 1 });
      // Forty sub-batches of 0.2 s: twice as long as a transition waits.
      await db.sql.unsafe(`
      create function public.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.02); return new; end $$;
      create trigger slow before insert on public.avatars for each row execute function public.slow();`);
      const worker = db.connect();
      const pid = await pidOf(worker);
      const working = call(worker, 'migrate_batch', { max_ms: 600_000, batch_size: 10 });
      await until('the call is at work', async () => {
        const rows = await db.sql`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`;
        return rows.length > 0;
      });
      expect(await call(db.sql, name)).toMatchObject({ run: 1 });
      const answer = await working;
      expect(answer).toMatchObject({ status: 'working', has_more: true });
      expect(answer.sub_batches).toBeLessThan(20);
    },
  );

  test('settings of a rollback are fixed, too: a caller who does not say force goes on with it', async () => {
    const db = await database(50, 'migrated');
    await call(db.sql, 'rollback_batch', { max_ms: 1, force: true });
    expect((await refusal(call(db.sql, 'rollback_batch', { force: false }))).code).toBe('IM007');
    expect(await call(db.sql, 'rollback_batch', { plan: 'avatars' })).toMatchObject({ error: null });
    expect([...(await db.sql`select force from imago.run where direction = 'rollback'`)]).toEqual([
      { force: true },
    ]);
  });
});

describe('a caller that names its run', () => {
  const runs = async (db: TestDatabase) =>
    (await db.sql`select id, direction, state from imago.run order by id`).map(
      ({ id, direction, state }) => `${id} ${direction} ${state}`,
    );

  /** The run that migrate_batch opens on a prepared plan, and its first few users. */
  async function begun(db: TestDatabase, options: Record<string, unknown> = {}): Promise<number> {
    await prepareAll(db.sql);
    const { run } = await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 10, ...options });
    return run;
  }

  test.each([
    ['migrate_batch', 'forward'],
    ['rollback_batch', 'rollback'],
  ])('and is busy at the very end opens no other one: %s', async (name, direction) => {
    const db = await database(40, 'prepared');
    if (direction === 'rollback') await migrateAll(db.sql);
    const { run } = await call(db.sql, name, { max_ms: 1, plan: 'avatars' });
    const before = await runs(db);
    const last = db.connect();
    await last`begin`;
    let ended = await call(last, name, { run });
    while (ended.has_more) ended = await call(last, name, { run });
    await db.sql`update imago.setting set value = '20' where name = 'lock_timeout_ms'`;
    expect(await call(db.sql, name, { run })).toMatchObject({ status: 'busy', has_more: true, run });
    await last`commit`;
    for (let again = 0; again < 2; again += 1) {
      expect(await call(db.sql, name, { run })).toMatchObject({
        run,
        direction,
        status: 'done',
        state: 'succeeded',
        has_more: false,
        processed: 0,
      });
    }
    expect(await runs(db)).toEqual(before.map((line) => line.replace('running', 'succeeded')));
  });

  test('is told when that is cancelled or taken over, and moves nothing', async () => {
    const db = await database(60);
    const cancelled = await begun(db);
    await call(db.sql, 'cancel_migration');
    const overtaken = (await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 10 })).run;
    const back = (await call(db.sql, 'rollback_batch', { plan: 'avatars', max_ms: 1, force: true })).run;
    const before = await runs(db);
    for (const run of [cancelled, overtaken]) {
      expect(await call(db.sql, 'migrate_batch', { run })).toMatchObject({
        run,
        status: 'cancelled',
        state: 'cancelled',
        has_more: true,
        processed: 0,
        error: null,
      });
    }
    expect(await runs(db)).toEqual(before);
    await db.sql`update imago.run set state = 'running', finished_at = null where id = ${back}`;
    await call(db.sql, 'cancel_migration');
    expect(await call(db.sql, 'rollback_batch', { run: back, force: true })).toMatchObject({
      status: 'cancelled',
      rolled_back: 0,
    });
    expect(await value(db.sql, 'select count(*)::int from imago.run')).toBe(3);
  });

  test('is told while a call is under way that it was cancelled, named or not', async () => {
    const db = await database(40);
    await begun(db);
    const canceller = db.connect();
    const caller = db.connect();
    const pid = await pidOf(caller);
    await db.sql`update imago.setting set value = '20000' where name = 'lock_timeout_ms'`;
    await canceller`begin`;
    await call(canceller, 'cancel_migration');
    const calling = call(caller, 'migrate_batch');
    await untilBlocked(db.sql, pid);
    await canceller`commit`;
    expect(await calling).toMatchObject({ run: 1, status: 'cancelled', processed: 0 });
    expect(await value(db.sql, 'select count(*)::int from imago.run')).toBe(1);
  });

  test('is told why that has failed, and that it is done where users are set aside', async () => {
    const db = await database(40, 'prepared');
    const ids = (await db.sql`select id from public.users order by id limit 8`).map(({ id }) => `'${id}'`);
    const refuse = (from: number, to: number) =>
      db.sql.unsafe(`
        alter table public.avatars drop constraint if exists nobody;
        alter table public.avatars add constraint nobody check (owner_user_id not in (${ids.slice(from, to)}))`);
    await refuse(0, 8);
    const { run } = await call(db.sql, 'migrate_batch', { max_failures: '2' });
    await expect(call(db.sql, 'migrate_batch', { run })).resolves.toMatchObject({
      status: 'failed',
      error: { code: 'IM020' },
      next: null,
    });
    await refuse(0, 1);
    await call(db.sql, 'retry_failed_migrations');
    while ((await call(db.sql, 'migrate_batch', { run })).has_more);
    expect(await call(db.sql, 'migrate_batch', { run })).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 1,
      error: null,
    });
    expect(await runs(db)).toEqual([`${run} forward failed`]);
  });

  test('that there is not, or is of another plan or direction, is refused', async () => {
    const db = await database(20);
    const run = await begun(db);
    await db.sql`
      insert into imago.plan (name, title, source_schema, source_table, key_column)
      select 'other', title, source_schema, source_table, key_column from imago.plan where name = 'avatars'`;
    for (const [name, args, message] of [
      ['migrate_batch', { run: 99 }, 'run 99 is not a forward run of plan avatars'],
      ['rollback_batch', { run: 99 }, 'run 99 is not a rollback run of plan avatars'],
      ['rollback_batch', { run }, `run ${run} is not a rollback run of plan avatars`],
      ['migrate_batch', { plan: 'other', run }, `run ${run} is not a forward run of plan other`],
    ] as const) {
      const error = await refusal(call(db.sql, name, args));
      expect([error.code, error.message]).toEqual(['IM034', message]);
    }
    expect((await refusal(call(db.sql, 'migrate_batch', { run, backup: false }))).code).toBe('IM007');
    const back = (await call(db.sql, 'rollback_batch')).run;
    expect((await refusal(call(db.sql, 'migrate_batch', { run: back }))).code).toBe('IM034');
    expect((await refusal(call(db.sql, 'rollback_batch', { run: back, force: true }))).code).toBe('IM007');
  });

  test('is not given the last one while a new one is only about to be', async () => {
    const db = await database(20, 'prepared');
    await migrateAll(db.sql);
    await db.sql`update imago.setting set value = '40' where name = 'state_lock_timeout_ms'`;
    const other = db.connect();
    await other`begin`;
    await call(other, 'migrate_batch');
    for (const name of ['migrate_batch', 'rollback_batch']) {
      expect(await call(db.sql, name, { plan: 'avatars' })).toMatchObject({ status: 'busy', run: null });
    }
    await other`rollback`;
  });
});
