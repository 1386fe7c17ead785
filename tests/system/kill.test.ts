import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, connect, removeCluster, startCluster } from '../../scripts/embedded/cluster.ts';
import { pushMigrations } from '../../scripts/embedded/push.ts';
import { createSample } from '../../scripts/embedded/sample.ts';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { callUntilDone, passForLarge } from '../support/callers.ts';
import { neverRest } from '../support/cluster.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { randomNumbers } from '../support/random.ts';
import { pidOf, until } from '../support/until.ts';

/**
 * Callers and servers that are killed: a session by pg_terminate_backend, a process by SIGKILL, a server by an immediate
 * stop. On a cluster of its own, for the others' tests would not survive it.
 */

const USERS = 600;
/** One advisory lock, held by the test: what waits for it stands still at a stage of a batch. */
const GATE = 4713;
const KINDS = ['session', 'process', 'server'] as const;
type Kind = (typeof KINDS)[number];
type Direction = 'migrate_batch' | 'rollback_batch';
/** One sub-batch a call, of few users, so that there are many moments to be killed at. */
const SMALL = { migrate_batch: { batch_size: 3, max_ms: 1 }, rollback_batch: { max_ms: 1 } };

let folder: string;
let cluster: Cluster;
let database: string;
let original: Record<string, string>;
const clients: Sql[] = [];
const children = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'imago-kill-'));
  await start();
  await pushMigrations(cluster.url());
  const sql = connect(cluster);
  await createSample(sql, USERS);
  // A batch that was killed counts as somebody else's.
  await neverRest(sql);
  original = await checksums(sql);
  // A call takes its size from the lane; a rollback that grew as it does would be done after a few calls.
  await sql.unsafe(`
    create function public.keep_small() returns trigger language plpgsql as $$
    begin
      new.batch_size := least(new.batch_size, 3);
      return new;
    end
    $$;
    create trigger keep_small before insert or update on imago.lane for each row execute function public.keep_small()`);
  await sql.end();
  const superuser = connect(cluster, 'supabase_admin');
  await passForLarge(superuser);
  await superuser.end();
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await disconnect();
  await cluster.stop('immediate');
  await removeCluster(folder);
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  // A killed server leaves its pages to the operating system, which lives on: fsync has no part in this.
  cluster = await startCluster({ folder, settings: { fsync: 'off', shared_buffers: '64MB' } });
}

/** A copy of the app for one test. */
async function freshApp(name: string): Promise<Sql> {
  const admin = connect(cluster, 'supabase_admin', 'template1');
  await admin.unsafe(`create database ${name} template postgres owner postgres`).finally(() => admin.end());
  database = name;
  return client();
}

function client(application_name = 'test'): Sql {
  const sql = postgres(cluster.url('postgres', database), {
    max: 1,
    onnotice: () => {},
    // A query of the client library's own would fail, unseen, when its session is killed early.
    fetch_types: application_name === 'test',
    connection: { application_name },
  });
  clients.push(sql);
  return sql;
}

async function disconnect(): Promise<void> {
  await Promise.all(clients.splice(0).map((sql) => sql.end({ timeout: 0 }).catch(() => {})));
}

/** Crashes the server and starts it again; every connection is gone. */
async function crash(): Promise<Sql> {
  await cluster.stop('immediate');
  await disconnect();
  await start();
  return client();
}

function startChild(name: Direction): { child: ChildProcess; ended: Promise<NodeJS.Signals | null> } {
  const script = fileURLToPath(new URL('../support/caller.ts', import.meta.url));
  const url = cluster.url('postgres', database);
  const child = spawn(process.execPath, [script, url, name, JSON.stringify(SMALL[name])], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    child.once('close', (_code, signal) => {
      children.delete(child);
      resolve(signal);
    });
  });
  return { child, ended };
}

const count = async (sql: Sql, what: string) => Number(await value(sql, `select count(*) from ${what}`));
const migrated = (sql: Sql) => count(sql, 'public.users where active_avatar_id is not null');
const sessionGone = async (sql: Sql, pid: number) =>
  (await count(sql, `pg_stat_activity where pid = ${pid}`)) === 0;

/** Whatever was killed: each user is either where they were or moved with all that they have, and the app's own data is whole. */
async function expectWhole(sql: Sql): Promise<void> {
  expect(await checksums(sql)).toEqual(original);
  expect(await count(sql, 'public.avatars')).toBe(await migrated(sql));
  expect(
    await count(
      sql,
      'public.users u join public.avatars a on a.owner_user_id = u.id where u.active_avatar_id is distinct from a.id',
    ),
  ).toBe(0);
  for (const [table, column] of [
    ['posts', 'user_id'],
    ['follows', 'followed_id'],
  ]) {
    expect(
      await count(
        sql,
        `public.${table} t join public.users u on u.id = t.${column} where t.avatar_id is distinct from u.active_avatar_id`,
      ),
    ).toBe(0);
  }
}

async function expectBack(sql: Sql): Promise<void> {
  await expectWhole(sql);
  expect(await migrated(sql)).toBe(0);
  expect(await count(sql, 'imago.failure')).toBe(0);
  const journals = await sql<{ name: string }[]>`
    select c.oid::regclass::text as name from pg_class c
    where c.relnamespace = 'imago_undo'::regnamespace and c.relkind = 'r'`;
  expect(journals.length).toBe(4);
  for (const journal of journals) expect(await count(sql, journal.name)).toBe(0);
}

/** Where a batch is held: the trigger that stops it there. */
const STAGES: Record<Direction, Record<string, string>> = {
  migrate_batch: {
    'the users are locked': 'before insert on public.avatars for each statement',
    'avatars are inserted': 'before update on public.users for each row',
    'posts are updated': 'after update on public.posts for each statement',
    'the journal is settled': 'before update on imago.batch for each row',
    'the cursor has moved': 'after update on imago.lane for each row',
  },
  rollback_batch: {
    'the avatars are locked': 'before insert on imago.batch for each row',
    'posts are restored': 'after update on public.posts for each statement',
    'avatars are removed': 'after delete on public.avatars for each statement',
    'the journal is forgotten': 'before update on imago.batch for each row',
    'the cursor has moved': 'after update on imago.lane for each row',
  },
};

/** What a caller sees of a session or a server that was killed. */
const KILLED = /^(57P0[123]|CONNECTION_(CLOSED|DESTROYED|ENDED)|ECONNREFUSED|ECONNRESET|EPIPE)$/;

/** Holds a batch of a call at a stage, kills it there in one of three ways, and lets the next call go on. */
async function killAt(sql: Sql, name: Direction, trigger: string, kind: Kind): Promise<Sql> {
  const gate = client();
  await gate`select pg_advisory_lock(${GATE})`;
  await sql.unsafe(`create trigger stop_here ${trigger} execute function public.stop_here()`);
  const before = await migrated(sql);

  let failed: Promise<unknown> = Promise.resolve();
  let child: ReturnType<typeof startChild> | undefined;
  if (kind === 'process') {
    child = startChild(name);
  } else {
    const caller = client('caller');
    await pidOf(caller);
    failed = call(caller, name, SMALL[name]).then(
      (answer) => answer,
      (error) => error,
    );
  }
  let pid = 0;
  await until('the batch stands at the gate', async () => {
    pid =
      (await value<number | undefined>(
        sql,
        `select l.pid from pg_locks l join pg_database d on d.oid = l.database
       where d.datname = current_database() and l.locktype = 'advisory' and l.objid = ${GATE} and not l.granted`,
      )) ?? 0;
    return pid > 0;
  });
  expect(await migrated(sql)).toBe(before);

  let after = sql;
  if (kind === 'server') {
    after = await crash();
    expect(await failed).toMatchObject({ code: expect.stringMatching(KILLED) });
  } else if (kind === 'session') {
    await sql`select pg_terminate_backend(${pid})`;
    expect(await failed).toMatchObject({ code: expect.stringMatching(KILLED) });
  } else {
    child?.child.kill('SIGKILL');
    expect(await child?.ended).toBe('SIGKILL');
  }
  if (kind !== 'server') await gate`select pg_advisory_unlock(${GATE})`;
  // The server notices that the process has gone when it has an answer for it: then its batch has been committed.
  await until('the session has gone', () => sessionGone(after, pid));
  await after.unsafe(`drop trigger stop_here on ${trigger.split(' ')[3]}`);
  if (kind !== 'process') expect(await migrated(after)).toBe(before);
  await expectWhole(after);

  // The next call goes on where that one was; one that only finds its lane to be at its end moves nobody.
  for (let moved = 0; moved === 0; ) {
    const next = await call(after, name, SMALL[name]);
    expect(next).toMatchObject({ status: 'working', failed: 0 });
    moved = next[name === 'migrate_batch' ? 'migrated' : 'rolled_back'];
  }
  await expectWhole(after);
  return after;
}

test('killed callers and servers lose nothing: at each stage of a batch, forward and back', async () => {
  let sql = await freshApp('stages');
  await prepareAll(sql);
  await sql.unsafe(`
    create function public.stop_here() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock_shared(${GATE});
      return new;
    end
    $$;
    -- Held for as long as it takes to be killed.
    update imago.setting set value = '60000' where name = 'lock_timeout_ms'`);
  expect(await call(sql, 'migrate_batch', SMALL.migrate_batch)).toMatchObject({ status: 'working' });
  for (const trigger of Object.values(STAGES.migrate_batch)) {
    for (const kind of KINDS) sql = await killAt(sql, 'migrate_batch', trigger, kind);
  }
  expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
  await expectAllMigrated(sql);
  await expectWhole(sql);

  expect(await call(sql, 'rollback_batch', SMALL.rollback_batch)).toMatchObject({ status: 'working' });
  for (const trigger of Object.values(STAGES.rollback_batch)) {
    for (const kind of KINDS) sql = await killAt(sql, 'rollback_batch', trigger, kind);
  }
  expect((await rollbackAll(sql)).at(-1)).toMatchObject({ status: 'done', conflicts: 0 });
  await expectBack(sql);
  await disconnect();
});

/** Starts callers, kills at a moment, and returns when nobody calls any more. */
async function killOnce(
  sql: Sql,
  name: Direction,
  kind: Kind,
  moment: () => Promise<boolean>,
  wait: number,
): Promise<Sql> {
  const child = kind === 'process' ? startChild(name) : undefined;
  if (child) {
    await until(
      'the process has called',
      async () =>
        (await count(sql, `pg_stat_activity where application_name = 'child' and query like '%${name}%'`)) >
        0,
    );
  }
  let stopped = false;
  const callers = [client('caller'), client('caller')].map(async (caller) => {
    try {
      while (!stopped) {
        const answer = await call(caller, name, SMALL[name]);
        if (!answer.has_more) return;
        await delay(answer.retry_after_ms);
      }
    } catch (error) {
      if (!KILLED.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  });
  await until('the moment has come', moment);
  // No synchronisation: any moment will do, and this makes it one that no poll has chosen.
  await delay(wait);

  let after = sql;
  if (kind === 'session') {
    const [victim] = await sql<{ pid: number }[]>`
      select pid from pg_stat_activity where application_name = 'caller' and datname = current_database()
      order by state, pid limit 1`;
    if (victim) await sql`select pg_terminate_backend(${victim.pid})`;
  } else if (kind === 'server') {
    after = await crash();
  } else {
    child?.child.kill('SIGKILL');
    expect(['SIGKILL', null]).toContain(await child?.ended);
  }
  stopped = true;
  await Promise.all(callers);
  await until(
    'no caller is left',
    async () =>
      (await count(after, "pg_stat_activity where application_name = 'child' and state = 'active'")) === 0,
  );
  return after;
}

test('killed callers and servers lose nothing: twenty times at random moments, forward and back', async () => {
  const FORWARD = 12;
  const BACK = 7;
  const random = randomNumbers(20261121);
  let sql = await freshApp('moments');
  const kinds: Kind[] = [];
  const nextKind = (): Kind => {
    if (kinds.length === 0) kinds.push(...[...KINDS].sort(() => random() - 0.5));
    return kinds.pop() as Kind;
  };

  // While it is being prepared, too.
  const steps = Math.floor(random() * 8);
  sql = await killOnce(
    sql,
    'migrate_batch',
    'server',
    async () => (await count(sql, 'imago.plan_step where done_at is not null')) >= steps,
    random() * 10,
  );
  expect(await checksums(sql)).toEqual(original);
  await prepareAll(sql);

  for (let i = 0; i < FORWARD; i++) {
    const target = Math.floor(((i + random()) * USERS * 0.5) / FORWARD);
    sql = await killOnce(
      sql,
      'migrate_batch',
      nextKind(),
      async () => (await migrated(sql)) >= target,
      random() * 10,
    );
    await expectWhole(sql);
  }
  expect(await migrated(sql)).toBeLessThan(USERS);
  const answers = await callUntilDone(sql, 'migrate_batch');
  expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
  await expectAllMigrated(sql);
  await expectWhole(sql);
  expect(await count(sql, 'public.users')).toBe(USERS);
  expect(await count(sql, 'public.avatars')).toBe(USERS);
  expect(await count(sql, 'imago.run')).toBe(1);

  await call(sql, 'rollback_batch', SMALL.rollback_batch);
  for (let i = 0; i < BACK; i++) {
    const target = USERS - Math.floor(((i + random()) * USERS * 0.3) / BACK);
    sql = await killOnce(
      sql,
      'rollback_batch',
      nextKind(),
      async () => (await migrated(sql)) <= target,
      random() * 10,
    );
    await expectWhole(sql);
  }
  expect(await migrated(sql)).toBeGreaterThan(0);
  const back = await callUntilDone(sql, 'rollback_batch');
  expect(back.at(-1)).toMatchObject({ status: 'done', conflicts: 0 });
  await expectBack(sql);
});
