import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient } from '@supabase/supabase-js';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { removeCluster } from '../../scripts/embedded/cluster.ts';
import { listenOnLoopback } from '../../scripts/embedded/loopback.ts';
import { alive } from '../../scripts/embedded/processes.ts';
import { readState } from '../../scripts/embedded/state.ts';
import {
  type EmbeddedOptions,
  type EmbeddedSupabase,
  ensureEmbedded,
} from '../../scripts/embedded/supabase.ts';
import { testCluster } from '../support/cluster.ts';
import { startCommand } from '../support/command.ts';
import { freshDatabase } from '../support/database.ts';
import { checksums } from '../support/imago.ts';
import { until } from '../support/until.ts';

/** Generous, for machines that do other things too. */
const WITHIN = { timeout: 30_000 };

test('the embedded PostgreSQL 15 has the same roles, takes the migrations and comes back after a crash', async () => {
  const cluster = await testCluster({ version: 15 });
  onTestFinished(cluster.remove);
  const db = await freshDatabase({ app: 'sample', users: 20, on: cluster });
  const before = await checksums(db.sql);
  await cluster.crash();
  await cluster.restart();
  const [row] = await db.connect()`
    select current_setting('server_version') as version, to_regnamespace('imago') is not null as migrated`;
  expect(row).toMatchObject({ version: expect.stringMatching(/^15\./), migrated: true });
  expect(await checksums(db.connect())).toEqual(before);
  await db.drop();
});

describe('the embedded Supabase', () => {
  let folder: string;
  const held: EmbeddedSupabase[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'imago-embedded-'));
  });
  afterEach(releaseAll);
  afterAll(async () => {
    await removeCluster(path.join(folder, 'postgres'));
    await rm(folder, { recursive: true, force: true });
  });

  async function hold(options: EmbeddedOptions = {}): Promise<EmbeddedSupabase> {
    const embedded = await ensureEmbedded({ folder, ...options });
    held.push(embedded);
    return embedded;
  }

  async function releaseAll(): Promise<void> {
    await Promise.all(held.splice(0).map((embedded) => embedded.release()));
  }

  const state = () => {
    const found = readState(folder);
    if (!found) throw new Error('no server has written its state');
    return found;
  };
  const client = ({ url }: { url: string }, key: string) =>
    createClient(url, key, { auth: { persistSession: false } });
  const usersIn = async (embedded: EmbeddedSupabase) =>
    (await client(embedded, embedded.secretKey).from('users').select('*', { count: 'exact', head: true }))
      .count;
  async function bySql<T>(embedded: EmbeddedSupabase, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    const sql = postgres(embedded.databaseUrl, { max: 1, onnotice: () => {} });
    return await work(sql).finally(() => sql.end());
  }

  describe('its Data API', () => {
    let embedded: EmbeddedSupabase;
    beforeAll(async () => {
      embedded = await ensureEmbedded({ folder, sample: 40 });
    });
    afterAll(async () => await embedded.release());

    test('answers supabase-js by role', async () => {
      expect(new URL(embedded.url).hostname).toBe('127.0.0.1');
      expect(new URL(embedded.databaseUrl).hostname).toBe('127.0.0.1');
      const secret = client(embedded, embedded.secretKey);
      const anon = client(embedded, embedded.publishableKey);

      const statistics = await secret.rpc('get_migration_statistics');
      expect(statistics).toMatchObject({ status: 200, data: { total_users: 40 } });
      expect(await anon.rpc('get_migration_statistics')).toMatchObject({
        status: 401,
        error: { code: '42501' },
      });
      expect(await client(embedded, 'sb_secret_guess').rpc('get_migration_statistics')).toMatchObject({
        status: 401,
      });
    });

    test('signs users up and in, who then see by row level security', async () => {
      const anon = client(embedded, embedded.publishableKey);
      const credentials = { email: 'nova@example.com', password: 'correct horse battery staple' };
      expect((await anon.auth.signUp(credentials)).error).toBeNull();
      const { data } = await anon.auth.signInWithPassword(credentials);
      const id = data.user?.id as string;
      expect((await anon.from('users').insert({ id, username: 'nova' })).error).toBeNull();
      expect((await anon.from('users').insert({ username: 'somebody else' })).error).toMatchObject({
        code: '42501',
      });
      await client(embedded, embedded.secretKey).from('users').delete().eq('id', id);
    });

    test('passes on code, message, detail and hint of errors as PostgREST does', async () => {
      await bySql(embedded, async (sql) => {
        await sql.unsafe(`
        create or replace function public.fail(code text) returns jsonb language plpgsql as $$
        begin
          raise exception using errcode = fail.code, message = 'the message', detail = 'the detail', hint = 'the hint';
        end $$;
        revoke execute on function public.fail from public;
        grant execute on function public.fail to service_role`);
      });
      const secret = client(embedded, embedded.secretKey);
      await until('the Data API has heard of the new function', async () => {
        return (await secret.rpc('fail', { code: 'IM001' })).error?.code !== 'PGRST202';
      });
      for (const [code, status] of [
        ['IM001', 400],
        ['P0001', 400],
        ['23514', 400],
        ['22000', 400],
        ['40001', 500],
        ['55P03', 500],
        ['57014', 500],
        ['XX000', 500],
      ] as const) {
        const answer = await secret.rpc('fail', { code });
        expect(answer).toMatchObject({
          status,
          error: { code, message: 'the message', details: 'the detail', hint: 'the hint' },
        });
      }
      await bySql(embedded, (sql) => sql`drop function public.fail`);
    });

    test('grants nobody more than the migrations did', async () => {
      await client(embedded, embedded.publishableKey).from('users').select('id').limit(1);
      const rights = await bySql(
        embedded,
        (sql) => sql`
        select
          has_table_privilege('anon', 'public.users', 'select') as reads,
          has_table_privilege('anon', 'public.users', 'insert') as writes,
          has_schema_privilege('anon', 'imago_undo', 'usage') as journal,
          has_table_privilege('anon', 'imago.log', 'select') as log`,
      );
      expect(rights).toEqual([{ reads: true, writes: false, journal: false, log: false }]);
    });

    test('hears of new tables by itself', async () => {
      const secret = client(embedded, embedded.secretKey);
      expect((await secret.from('notes').select()).error).toMatchObject({ code: 'PGRST205' });
      await bySql(embedded, async (sql) => {
        await sql`create table public.notes (id integer)`;
        await sql`grant select on public.notes to service_role`;
      });
      await expect.poll(async () => (await secret.from('notes').select()).data, WITHIN).toEqual([]);
      await bySql(embedded, (sql) => sql`drop table public.notes`);
    });

    test('answers by what it knows while it looks at the schema again', async () => {
      const url = new URL(embedded.databaseUrl);
      url.username = 'supabase_admin';
      const superuser = postgres(url.toString(), { max: 1, onnotice: () => {} });
      try {
        // Comments are read by nobody else.
        await superuser.begin(async (tx) => {
          await tx`lock table pg_catalog.pg_description`;
          await bySql(embedded, (sql) => sql`notify pgrst`);
          await until('the look at the schema waits', async () => {
            const [row] = await tx<{ waits: boolean }[]>`
              select exists (select from pg_locks where relation = 'pg_description'::regclass and not granted) as waits`;
            return row?.waits ?? false;
          });
          expect(await usersIn(embedded)).toBe(40);
        });
      } finally {
        await superuser.end();
      }
    });

    test('answers by what it knows when the look at the schema fails, and looks again', async () => {
      const url = new URL(embedded.databaseUrl);
      url.username = 'supabase_admin';
      const superuser = postgres(url.toString(), { max: 1, onnotice: () => {} });
      try {
        await superuser.begin(async (tx) => {
          await tx`lock table pg_catalog.pg_description`;
          await bySql(embedded, (sql) => sql`notify pgrst`);
          // As its timeout ends it, where a table of the app is locked for longer than that.
          for (const time of ['first', 'second']) {
            await until(`the ${time} look waits`, async () => {
              const ended = await tx`
                select pg_cancel_backend(pid) from pg_locks where relation = 'pg_description'::regclass and not granted`;
              return ended.length > 0;
            });
            expect(await usersIn(embedded)).toBe(40);
          }
        });
      } finally {
        await superuser.end();
      }
    });
  });

  test('starts once for two commands, ends with the last one, keeps data, keys and ports, and comes back from each kill', async () => {
    // Two commands at the same moment.
    const both = await Promise.all([hold(), hold()]);
    const first = both.find(({ shared }) => !shared) as EmbeddedSupabase;
    const second = both.find(({ shared }) => shared) as EmbeddedSupabase;
    expect(both.filter(({ shared }) => !shared)).toHaveLength(1);
    expect(second).toMatchObject({
      url: first.url,
      databaseUrl: first.databaseUrl,
      secretKey: first.secretKey,
    });
    const { pid } = state();
    await first.release();
    expect(await usersIn(second)).toBe(40);
    await bySql(second, (sql) => sql`update public.users set bio = 'kept'`);
    await second.release();
    await expect.poll(() => alive(pid), WITHIN).toBe(false);
    expect(readState(folder)).toBeUndefined();

    const { url, databaseUrl, publishableKey, secretKey } = first;
    const again = await hold();
    expect(again).toMatchObject({ url, databaseUrl, publishableKey, secretKey, shared: false });
    expect(await bySql(again, (sql) => sql`select distinct bio from public.users`)).toEqual([
      { bio: 'kept' },
    ]);
    await expect(hold({ sample: 41 })).rejects.toThrow(/holds the sample app with 40 users.*--reset/);
    await expect(hold({ reset: true })).rejects.toThrow(/another command/);
    expect(await usersIn(again)).toBe(40);
    await again.release();

    // Somebody else has taken its ports.
    const squatter = createServer((_, response) => void response.writeHead(418).end());
    await listenOnLoopback(squatter, Number(new URL(url).port));
    const other = createServer();
    await listenOnLoopback(other, Number(new URL(databaseUrl).port));
    onTestFinished(() => {
      squatter.close();
      other.close();
    });
    const elsewhere = await hold();
    expect(elsewhere.url).not.toBe(url);
    expect(elsewhere.databaseUrl).not.toBe(databaseUrl);
    expect(await usersIn(elsewhere)).toBe(40);

    // PostgreSQL alone is killed: it is started again.
    const { postgresPid: alone } = state();
    process.kill(alone, 'SIGKILL');
    await expect.poll(async () => await usersIn(elsewhere), WITHIN).toBe(40);
    expect(state()).toMatchObject({ databaseUrl: elsewhere.databaseUrl });
    expect(state().postgresPid).not.toBe(alone);

    // The server alone: the next command ends what it has left.
    const { pid: server, postgresPid } = state();
    process.kill(server, 'SIGKILL');
    await elsewhere.ended;
    expect(alive(postgresPid)).toBe(true);
    const third = await hold();
    expect(third.shared).toBe(false);
    expect(alive(postgresPid)).toBe(false);
    expect(await usersIn(third)).toBe(40);

    // Both.
    process.kill(state().pid, 'SIGKILL');
    process.kill(state().postgresPid, 'SIGKILL');
    await third.ended;
    expect(await usersIn(await hold())).toBe(40);
  });

  test('ends when the only command that uses it is killed', async () => {
    const holder = holderProcess(folder);
    onTestFinished(() => void holder.kill('SIGKILL'));
    await new Promise((resolve, reject) => {
      holder.stdout?.once('data', resolve);
      holder.once('exit', (code) => reject(new Error(`it ended with exit code ${code}`)));
    });
    const { pid, postgresPid } = state();
    holder.kill('SIGKILL');
    await expect.poll(() => alive(pid) || alive(postgresPid), WITHIN).toBe(false);
  });

  test('npm run local prints what others need and stops on Ctrl-C', async () => {
    const local = startCommand(['--sample', '40'], { IMAGO_FOLDER: folder }, { script: 'scripts/local.ts' });
    await local.says('is running');
    const { pid, url, publishableKey, secretKey, databaseUrl } = state();
    expect((await hold()).shared).toBe(true);
    await releaseAll();
    local.child.kill('SIGINT');
    const { code, stdout } = await local.finished;
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toEqual([
      `SUPABASE_URL=${url}`,
      `SUPABASE_PUBLISHABLE_KEY=${publishableKey}`,
      `SUPABASE_SECRET_KEY=${secretKey}`,
      `DATABASE_URL=${databaseUrl}`,
    ]);
    await expect.poll(() => alive(pid), WITHIN).toBe(false);
    expect(existsSync(path.join(folder, 'state.json'))).toBe(false);
  });

  test('npm run local refuses options that it does not know', async () => {
    const { code, stdout } = await startCommand(['--sample', 'many'], {}, { script: 'scripts/local.ts' })
      .finished;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('starts over with --reset beside a keeper', async () => {
    const keeper = await hold({ keeper: true });
    const fresh = await hold({ reset: true, sample: 30 });
    expect(fresh).toMatchObject({ url: keeper.url, databaseUrl: keeper.databaseUrl, shared: true });
    expect(await usersIn(keeper)).toBe(30);
  });
});

/** A process that holds the embedded Supabase of a folder and says so. */
function holderProcess(folder: string): ChildProcess {
  const supabase = new URL('../../scripts/embedded/supabase.ts', import.meta.url);
  const script = `
    import { ensureEmbedded } from ${JSON.stringify(supabase.href)};
    await ensureEmbedded({ folder: ${JSON.stringify(folder)} });
    console.log('held');`;
  return spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
