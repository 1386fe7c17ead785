/** Messages to people: what happens to a run is told at least once, by each way that is on, and never in the batch's way. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { figuresMessage } from '../../functions/_shared/answers.ts';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshProject, runCommand } from '../support/command.ts';
import { installCron, installNet, jobs, runJobs } from '../support/cron.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';

let db: TestDatabase;
afterEach(() => db?.drop());

const superuser = async (statement: string) => {
  const sql = db.connect({ role: 'supabase_admin', max: 1 });
  const rows = await sql.unsafe(statement);
  await sql.end();
  return rows;
};

/** The sample app, prepared, with pg_net and an address in the Vault. */
async function withNet(address = 'https://example.test/hook'): Promise<void> {
  db = await freshDatabase({ app: 'sample', users: 60, avatars: 'prepared' });
  await installNet(db);
  await db.sql`select vault.create_secret(${address}, 'imago_notify_url')`;
}

/** What pg_net was given since the last time, and what it is answered. */
async function answered(status: number): Promise<Record<string, unknown>[]> {
  const given = await superuser(`
    with given as (delete from net.http_request_queue returning id, url, convert_from(body, 'utf8')::jsonb as body),
      answered as (insert into net._http_response (id, status_code, timed_out) select id, ${status}, false from given)
    select url, body from given order by id`);
  await db.sql`update imago.notice set due_at = clock_timestamp() where sent_at is null`;
  return given.map(({ body }) => body as Record<string, unknown>);
}

/** Has the avatars of the first users refused. */
async function poison(users: number): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`select id from public.users order by id limit ${users}`;
  const ids = rows.map(({ id }) => id);
  await db.sql.unsafe(
    `alter table public.avatars add constraint nobody check (owner_user_id not in (${ids.map((id) => `'${id}'`).join(', ')}))`,
  );
  return ids;
}

describe('by pg_net', () => {
  test('states, the first failure and a long hold are told once each, without keys, until the other side has them', async () => {
    await withNet();
    expect(await call(db.sql, 'notify_migrations', { ways: 'net' })).toMatchObject({
      ways: ['net'],
      waiting: 1,
    });
    expect(await answered(200)).toMatchObject([{ event: 'test' }]);
    const bad = await poison(2);

    await db.sql`update imago.setting set value = 'a window' where name = 'hold'`;
    await db.sql`update imago.setting set value = '0' where name in ('notify_held_s', 'look_ms')`;
    for (let n = 0; n < 3; n += 1) await call(db.sql, 'migrate_batch');
    const first = await answered(500);
    expect(first).toMatchObject([
      { event: 'state', state: 'running', plan: 'avatars', direction: 'forward' },
      { event: 'held', signals: expect.stringContaining('operator') },
    ]);
    await db.sql`update imago.setting set value = '' where name = 'hold'`;
    await db.sql`update imago.setting set value = '1' where name = 'backoff_ms'`;
    await db.sql`update imago.governor set held_until = clock_timestamp()`;
    await migrateAll(db.sql);

    const told = await answered(204);
    // What the other side did not take comes again.
    expect(told.filter(({ id }) => first.some((again) => again.id === id))).toHaveLength(2);
    const news = told.filter(({ id }) => !first.some((again) => again.id === id));
    expect(news).toMatchObject([
      { event: 'failure', kind: 'failed', sqlstate: '23514', table: 'avatars', constraint: 'nobody' },
      { event: 'state', state: 'failed', failed: 2 },
    ]);
    expect(JSON.stringify([first, told])).not.toMatch(new RegExp(bad.join('|')));

    await db.sql`select imago.send_notices()`;
    expect(await answered(200)).toEqual([]);
    expect(await call(db.sql, 'notify_migrations')).toMatchObject({ waiting: 0, given_up: 0 });
  });

  test('pg_cron keeps its job until the last word has arrived, and no longer than it is worth', async () => {
    await withNet('https://hooks.slack.com/services/x');
    await installCron(db);
    await call(db.sql, 'notify_migrations', { ways: 'net' });
    await answered(200);
    await call(db.sql, 'schedule_migration');
    const states: unknown[] = [];
    for (let round = 0; (await jobs(db)).length > 0; round += 1) {
      expect(round).toBeLessThan(200);
      await runJobs(db);
      states.push(...(await answered(503)));
    }
    await expectAllMigrated(db.sql);
    // Slack takes a text and nothing else.
    expect(states[0]).toEqual({ text: expect.stringMatching(/^Imago, avatars, migration \d+: running/) });
    expect(
      await value(
        db.sql,
        `select count(*)::int from imago.notice where given_up_at is null and sent_at is null`,
      ),
    ).toBe(0);
    expect(await call(db.sql, 'notify_migrations')).toMatchObject({ outcome: '503' });
    expect(
      await value(db.sql, `select count(*)::int from imago.log where event = 'notice_given_up'`),
    ).toBeGreaterThan(0);
  });

  test('that is taken away in the middle of a run is in no way', async () => {
    await withNet();
    await call(db.sql, 'notify_migrations', { ways: 'net' });
    await superuser('drop extension pg_net cascade');
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);
    expect(await call(db.sql, 'notify_migrations')).toMatchObject({
      outcome: expect.stringMatching(/^(42883|3F000)$/),
    });
  });
});

test('a way that does not work is refused by the name of what is missing, and nothing is changed', async () => {
  db = await freshDatabase({ app: 'sample', users: 1 });
  await prepareAll(db.sql);
  const refused = (ways: string) => refusal(call(db.sql, 'notify_migrations', { ways }));
  expect(await refused('driver,net')).toMatchObject({
    code: 'IM081',
    message: expect.stringContaining('pg_net'),
  });
  await installNet(db);
  expect(await refused('net')).toMatchObject({ message: expect.stringContaining('imago_notify_url') });
  await db.sql`select vault.create_secret('http://example.test', 'imago_notify_url')`;
  expect(await refused('net')).toMatchObject({ message: expect.stringContaining('https://') });
  await superuser('drop function realtime.send cascade');
  expect(await refused('realtime')).toMatchObject({ message: expect.stringContaining('realtime.send') });
  expect(await refused('pigeon')).toMatchObject({
    hint: expect.stringContaining(`notify_migrations('driver')`),
  });
  expect(await call(db.sql, 'notify_migrations')).toMatchObject({ ways: [], waiting: 0 });
  await migrateAll(db.sql);
  expect(await value(db.sql, 'select count(*)::int from imago.notice')).toBe(0);
});

describe('by Realtime', () => {
  const sent = async (event: string) =>
    await superuser(`
      select topic, private, payload from realtime.messages where event = '${event}' order by inserted_at`);

  test('what happens, and figures at most once in broadcast_ms: on a private channel, without keys', async () => {
    db = await freshDatabase({ app: 'sample', users: 30, avatars: 'prepared' });
    await db.sql`update imago.setting set value = '3600000' where name = 'broadcast_ms'`;
    await call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
    expect(await sent('figures')).toEqual([]);
    await call(db.sql, 'notify_migrations', { ways: 'realtime' });
    await call(db.sql, 'dry_run_migration');
    expect(await sent('figures')).toEqual([]);
    for (let n = 0; n < 3; n += 1) await call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
    const [first, ...more] = await sent('figures');
    expect([first, more]).toMatchObject([{ topic: 'imago:avatars', private: true }, []]);
    const { lanes, ...figures } = figuresMessage.parse(first?.payload);
    expect(figures).toMatchObject({ plan: 'avatars', direction: 'forward', state: 'running' });
    expect(lanes.length).toBeGreaterThan(0);
    const users = await db.sql<{ id: string }[]>`select id from public.users`;
    expect(JSON.stringify(first)).not.toMatch(new RegExp(users.map(({ id }) => id).join('|')));

    // Only its topic and role decide who listens.
    const page = await readFile(new URL('../../docs/notify.md', import.meta.url), 'utf8');
    await db.sql.unsafe(/^create policy [^;]+;/m.exec(page)?.[0] ?? '');
    const heardBy = async (role: string, topic: string) => {
      const sql = db.connect({ role: 'authenticated', max: 1 });
      const claims = JSON.stringify({ role: 'authenticated', app_metadata: { imago_role: role } });
      const [seen] = await sql.begin(async (tx) => {
        await tx`select set_config('request.jwt.claims', ${claims}, true),
          set_config('realtime.topic', ${topic}, true)`;
        return await tx`select count(*)::int as messages from realtime.messages`;
      });
      await sql.end();
      return seen?.messages > 0;
    };
    expect([await heardBy('viewer', 'imago:avatars'), await heardBy('operator', 'imago:avatars')]).toEqual([
      true,
      true,
    ]);
    expect([await heardBy('nobody', 'imago:avatars'), await heardBy('viewer', 'room')]).toEqual([
      false,
      false,
    ]);

    await call(db.sql, 'pause_migration');
    await call(db.sql, 'resume_migration');
    expect((await sent('state')).map(({ topic, payload }) => [topic, payload.state])).toEqual([
      ['imago:avatars', 'paused'],
      ['imago:avatars', 'running'],
    ]);
    await superuser(`create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
      returns void language plpgsql as 'begin raise division_by_zero; end'`);
    await db.sql`update imago.governor set broadcast_at = null`;
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);
    const lines = await db.sql`select event, sqlstate from imago.log where event = 'broadcast_failed'`;
    expect(lines).toEqual([{ event: 'broadcast_failed', sqlstate: '22012' }]);
  });
});

test('what a driver cannot send is given up after ten tries, and the log says so', async () => {
  db = await freshDatabase({ app: 'sample', users: 1, avatars: 'prepared' });
  await call(db.sql, 'notify_migrations', { ways: 'driver' });
  const lost = () =>
    value<number>(db.sql, `select count(*)::int from imago.log where event = 'notice_given_up'`);
  for (let tries = 1; tries <= 10; tries += 1) {
    expect(await lost()).toBe(0);
    const { notices } = await call(db.sql, 'take_notices');
    expect(notices).toMatchObject([{ event: 'test' }]);
    await call(db.sql, 'settle_notices', { failed: [notices[0].id], outcome: 'HTTP 500' });
    await db.sql`update imago.notice set due_at = clock_timestamp()`;
  }
  expect([await lost(), (await call(db.sql, 'take_notices')).notices]).toEqual([1, []]);
  expect(await call(db.sql, 'notify_migrations')).toMatchObject({ given_up: 1, outcome: 'HTTP 500' });
});

describe('by the command', () => {
  /** A webhook that fails the first time. */
  async function webhook() {
    const told: Record<string, unknown>[] = [];
    let count = 0;
    const server = createServer(async (request: IncomingMessage, response) => {
      const body = JSON.parse(await text(request));
      count += 1;
      if (count > 1) told.push(body);
      response.writeHead(count === 1 ? 500 : 204).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret-path` };
  }

  test('it says when nobody has asked for messages, sends them where somebody has, and again what did not arrive', async () => {
    const project = await freshProject({ app: 'sample', users: 40 });
    db = project.db;
    const { told, url } = await webhook();
    const environment = { ...project.environment, IMAGO_NOTIFY_URL: url };
    const off = await runCommand(['--pause', '--yes'], environment);
    expect(off.stderr).toContain(`select notify_migrations('driver')`);

    await call(db.sql, 'notify_migrations', { ways: 'driver' });
    const run = await runCommand(['--yes', '--json'], environment);
    expect([run.code, told.at(-1)]).toMatchObject([0, { event: 'state', state: 'succeeded' }]);
    expect(run.stderr).toContain('HTTP 500');
    expect(run.stderr + run.stdout).not.toContain('secret-path');

    await db.sql`update imago.notice set due_at = clock_timestamp() where sent_at is null`;
    await runCommand(['--rollback', '--yes', '--json'], environment);
    expect(await value(db.sql, 'select count(*)::int from imago.notice where sent_at is null')).toBe(0);
    expect(told.filter(({ event }) => event === 'test')).toHaveLength(1);
  });

  test('an address without TLS is refused before anything is touched, and is not shown', async () => {
    const { db: fresh, environment } = await freshProject({ app: 'sample', users: 1 });
    db = fresh;
    const { code, stderr } = await runCommand(['--yes'], {
      ...environment,
      IMAGO_NOTIFY_URL: 'http://example.test/secret-path',
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining('https://')]);
    expect(stderr).not.toContain('secret-path');
    expect(await value(db.sql, 'select count(*)::int from imago.run')).toBe(0);
  });
});
