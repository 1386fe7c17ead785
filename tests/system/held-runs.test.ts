/** A run that the governor holds, slows or limits: what everybody who drives it or looks at it is told. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { type Answer, call, value } from '../support/call.ts';
import { freshProject, runCommand, startCommand, startOnTerminal } from '../support/command.ts';
import { installCron, jobs, runJobs, runJobsToTheEnd } from '../support/cron.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { behind, events, project as functions, KEY, STREAM, USERS } from '../support/small-batches.ts';
import { until } from '../support/until.ts';

const REASON = 'all runs are held: backup';
const WAITING = `Waiting: ${REASON}. Nothing is lost, and it goes on by itself;`;
const BIN = { script: 'scripts/imago.ts' };

const hold = (db: TestDatabase, why: string) =>
  db.sql`update imago.setting set value = ${why} where name = 'hold'`;

/** Looks and holds take a moment, and what else is up on the server holds nobody. */
async function soon({ sql }: TestDatabase): Promise<void> {
  await sql`update imago.setting set value = '50' where name in ('look_ms', 'backoff_ms')`;
  await sql`update imago.signal set slow = null, hold = null where name in ('waiters', 'vacuum', 'checkpoints', 'connections', 'active', 'pace')`;
}

const progress = (db: TestDatabase) => call(db.sql, 'get_detailed_migration_progress');
const times = (text: string, part: string) => text.split(part).length - 1;

describe('the command', () => {
  test('of a held run says why, once, forward and back, with and without the edge functions, as --watch and the figures do, and goes on', async () => {
    const { db, environment } = await freshProject({ users: 60, avatars: 'prepared' });
    await soon(db);
    await hold(db, 'backup');
    const held = async (flags: string[], look = async () => {}) => {
      await hold(db, 'backup');
      const running = startCommand(['--yes', ...flags], environment);
      await running.says(WAITING);
      await look();
      await until('calls have been answered', async () => (await progress(db)).health.waited_ms > 300);
      await hold(db, '');
      const ended = await running.finished;
      expect([flags, ended.code]).toEqual([flags, 0]);
      const said = ended.stderr.match(/^.*(Waiting:|Going on).*$/gm) ?? [];
      // The figures may be read in the moment between the reason's end and the next call.
      const reasons = said.filter((line) => !/Going on|has passed; it goes on in a moment/.test(line));
      expect([flags, reasons]).toEqual([flags, [expect.stringContaining(WAITING)]]);
      expect(said.at(-1)).toContain('Going on.');
    };

    // Interrupted, it ends at once, and says that nothing is lost.
    const interrupted = startCommand(['--yes', '--json'], environment);
    await interrupted.says(WAITING);
    interrupted.child.kill('SIGINT');
    const left = await interrupted.finished;
    expect(left.code).toBe(130);
    expect(left.json()).toMatchObject({
      status: 'interrupted',
      migrated: 0,
      progress: { waiting: REASON, health: { share: 0 } },
    });

    let watch: ReturnType<typeof startCommand> | undefined;
    await held([], async () => {
      watch = startCommand(['--watch', '--json'], environment);
      await watch.says(WAITING);
      const figures = await runCommand(['--stats-only'], environment);
      expect(figures).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/Waiting │ all runs are held: b/),
      });
    });
    const lines = ((await watch?.finished)?.stdout ?? '').trim().split('\n');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      type: 'progress',
      waiting: REASON,
      health: { share: 0, reasons: [{ signal: 'operator' }] },
    });
    await expectAllMigrated(db.sql);
    await held(['--rollback']);

    // On a terminal it counts how long.
    await prepareAll(db.sql);
    await hold(db, 'backup');
    const terminal = startOnTerminal(['--yes'], environment, 120);
    await until('a second has passed', async () =>
      /waiting \d+ s: all runs are held/.test(terminal.written()),
    );
    await hold(db, '');
    expect((await terminal.finished).code).toBe(0);
    await expectAllMigrated(db.sql);

    await held(['--rollback', '--via-function', '--max-ms', '1000']);
    expect(await value(db.sql, 'select count(*)::int from public.avatars')).toBe(0);
  });

  test('says once that others write the tables of the plan, and go first', async () => {
    const { db, environment } = await freshProject({ users: 60, avatars: 'prepared' });
    await call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
    await db.sql`update imago.health set others_at = clock_timestamp()`;
    const ended = await runCommand(['--yes'], environment);
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('Others write these tables') });
    expect(times(ended.stderr, 'Others write')).toBe(1);
    await expectAllMigrated(db.sql);
  });

  test('says that a run is slowed, and by what', async () => {
    const { db, environment } = await freshProject({ users: 60, avatars: 'prepared' });
    await soon(db);
    await db.sql`update imago.signal set slow = 100000, hold = 0 where name = 'connections'`;
    const running = startCommand(['--yes'], environment);
    await running.says('Slowed to ');
    expect((await running.finished).stderr).toMatch(/Slowed to \d+ %: \d+ connections are free\.\n/);
    await expectAllMigrated(db.sql);
  });
});

describe('limits', () => {
  const OFF = '--hours= --max-per-second= --throttle-query= --ignore-signal='.split(' ');

  test('are refused before anything is begun; typed with a run are set before it, hold for the next one, and are told', async () => {
    const { db, environment } = await freshProject({ users: 60, avatars: 'prepared' });
    await soon(db);
    for (const flags of [
      ['--hours', '22-6'],
      ['--ignore-signal', 'vacuums'],
    ]) {
      const refused = await runCommand(['--yes', '--json', ...flags], environment);
      expect([flags, refused.code, refused.json().error.code]).toEqual([flags, 2, 'IM015']);
    }
    // A query is set over DATABASE_URL, and refused without it.
    await db.sql`create table public.gate as select false as is_closed`;
    const args = ['--yes', '--json', '--throttle-query', 'select is_closed from public.gate'];
    const { DATABASE_URL, ...api } = environment;
    const refused = await runCommand(args, api);
    expect(refused.code).toBe(1);
    expect(refused.json().error).toMatchObject({
      code: 'IM087',
      hint: expect.stringContaining('select throttle_migration(throttle_query =>'),
    });
    expect(refused.json().next.join()).toContain('DATABASE_URL');
    const wrong = await runCommand(['--yes', '--json', '--throttle-query', 'select 5'], environment);
    expect(wrong.json().error).toMatchObject({ code: 'IM015' });
    expect(await progress(db)).toMatchObject({ state: 'none', throttle: null });
    const done = await runCommand(args, environment);
    expect(done.json()).toMatchObject({
      status: 'done',
      progress: { throttle: { throttle_query: true, set_by: 'role:postgres' } },
    });
    await call(db.sql, 'throttle_migration', { throttle_query: '' });
    await db.sql`delete from imago.log`;

    const limits = ['--hours', '0:00-24:00', '--max-per-second', '5000', '--ignore-signal', 'wal'];
    const first = await runCommand(['--rollback', '--yes', '--json', ...limits], environment);
    expect(first.json()).toMatchObject({
      status: 'done',
      progress: { throttle: { hours: '00:00-24:00 UTC', max_per_second: 5000, ignore: ['wal'] } },
    });
    const told =
      /works at 00:00-24:00 UTC, at most 5,000 users a second, does not look at wal; role:service_role set it on \d{4}-\d\d-\d\d \d\d:\d\d UTC/;
    expect(first.stderr).toMatch(told);
    const next = await runCommand(['migrate', '--yes'], environment, BIN);
    expect(next).toMatchObject({ code: 0, stderr: expect.stringMatching(told) });
    const shown = await runCommand(['throttle'], environment, BIN);
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('works at 00:00-24:00 UTC, at most 5,000 users a second'),
    });
    const off = await runCommand(['throttle', '--yes', '--json', ...OFF], environment, BIN);
    expect(off.json()).toMatchObject({
      status: 'done',
      throttle: { hours: null, max_per_second: null, throttle_query: false, ignore: [] },
      progress: { throttle: null },
    });
    expect((await runCommand(['throttle'], environment, BIN)).stdout).toContain('There are no limits.');
    expect(await value(db.sql, `select count(*)::int from imago.log where event = 'throttled'`)).toBe(2);

    // Outside of its hours a run waits, and works as soon as they are taken back.
    const later = await value<string>(
      db.sql,
      `select to_char(now() at time zone 'UTC' + interval '2 h', 'HH24:MI') || '-' || to_char(now() at time zone 'UTC' + interval '3 h', 'HH24:MI')`,
    );
    const running = startCommand(['--rollback', '--yes', '--hours', later], environment);
    await running.says(`Waiting: the run works only at ${later} UTC. `);
    expect(await value(db.sql, 'select count(*)::int from public.avatars')).toBe(60);
    expect((await runCommand(['throttle', '--yes', '--hours', ''], environment, BIN)).code).toBe(0);
    expect((await running.finished).code).toBe(0);
    expect(await value(db.sql, 'select count(*)::int from public.avatars')).toBe(0);
  });
});

describe('the edge functions', () => {
  test('JSON and stream answer a held run at once, forward and back, and a later request goes on', async () => {
    const db = await behind();
    await soon(db);
    const waiting = {
      status: 'waiting',
      state: 'running',
      has_more: true,
      reason: REASON,
      retry_after_ms: expect.any(Number),
      health: { share: 0, reasons: [{ signal: 'operator', reason: REASON }] },
      calls: 1,
    };
    for (const [name, json, moved] of [
      ['migrate', {}, USERS],
      ['rollback', { all: true, confirm: 'avatars' }, 0],
    ] as const) {
      await hold(db, 'backup');
      expect(await functions.call(KEY, name, { json })).toMatchObject({ status: 200, json: waiting });
      const streamed: string[] = [];
      for await (const { event, data } of events(
        await functions.send(KEY, name, { json, headers: STREAM }),
      )) {
        expect([name, data]).toMatchObject([name, waiting]);
        streamed.push(event);
      }
      expect([name, streamed]).toEqual([name, ['progress', 'done']]);
      await hold(db, '');
      let last = await functions.call(KEY, name, { json });
      await until('it goes on', async () => {
        if (last.json.status !== 'done') last = await functions.call(KEY, name, { json });
        return last.json.status === 'done';
      });
      const active = 'select count(*)::int from users where active_avatar_id is not null';
      expect([name, await value(db.sql, active)]).toEqual([name, moved]);
    }
  });

  test('a run at its rate goes on within the request; one that takes longer is handed back', async () => {
    const db = await behind();
    await db.sql`update imago.setting set value = '20' where name = 'look_ms'`;
    await call(db.sql, 'throttle_migration', { max_per_second: 500 });
    expect((await functions.call(KEY, 'migrate', { json: {} })).json).toMatchObject({
      status: 'done',
      migrated: USERS,
    });
    await call(db.sql, 'throttle_migration', { max_per_second: 1 });
    const began = performance.now();
    const json = { all: true, confirm: 'avatars', max_seconds: 2 };
    const answer = (await functions.call(KEY, 'rollback', { json })).json;
    expect(answer).toMatchObject({ has_more: true, status: expect.stringMatching(/^(working|waiting)$/) });
    expect(answer.rolled_back).toBeLessThanOrEqual(1 + (performance.now() - began) / 1000);
  });

  test('progress tells Prometheus the share, the level of each signal, and what each has cost', async () => {
    const db = await behind();
    await soon(db);
    await hold(db, 'backup');
    const scrape = async () =>
      (await functions.call(KEY, 'progress', { method: 'GET', query: '?format=prometheus' })).text;
    expect(await scrape()).not.toContain('imago_share{');
    await until('it has been held for a while', async () => {
      await call(db.sql, 'migrate_batch');
      return value(db.sql, `select coalesce(max(held_ms), 0) > 200 from imago.reading`);
    });
    const held = await scrape();
    expect(held).toContain('imago_share{plan="avatars"} 0\n');
    expect(held).toContain('imago_health{plan="avatars",signal="operator"} 2\n');
    expect(held).toContain('imago_health{plan="avatars",signal="slot"} 0\n');
    expect(held).toMatch(/imago_held_seconds_total\{plan="avatars",signal="operator"\} (0\.[2-9]|[1-9])/);
    expect(held).toContain('imago_held_seconds_total{plan="avatars",signal="slot"} 0\n');
    await hold(db, '');
    await until('it works', async () => (await call(db.sql, 'migrate_batch')).status === 'working');
    await migrateAll(db.sql);
    const over = await scrape();
    expect(over).not.toContain('imago_share{');
    expect(over).not.toContain('imago_health{');
    expect(over).toMatch(/imago_held_seconds_total\{plan="avatars",signal="operator"\} (0\.[2-9]|[1-9])/);
  });
});

test('pg_cron: ticks of a held run say waiting, the job stays, and a later tick goes on', async () => {
  const db = await freshDatabase({ app: 'sample', users: 20 });
  onTestFinished(db.drop);
  await installCron(db);
  await soon(db);
  await call(db.sql, 'schedule_migration');
  const tick = () => value<Answer>(db.sql, `select imago.tick('avatars')`);
  await until('it is prepared', async () => {
    await hold(db, 'backup');
    await runJobs(db);
    return (await tick()).status === 'waiting';
  });
  expect(await tick()).toMatchObject({ status: 'waiting', reason: REASON, health: { share: 0 } });
  expect(await jobs(db)).toMatchObject([{ active: true }]);
  expect(await progress(db)).toMatchObject({ state: 'running', waiting: REASON, scheduled: '10 seconds' });
  await hold(db, '');
  expect((await runJobsToTheEnd(db)).at(-1)).toMatchObject({ status: 'succeeded' });
  expect(await progress(db)).toMatchObject({ state: 'succeeded', waiting: null });
});
