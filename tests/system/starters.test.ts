/** Projects with migrations as starters for Supabase have them, on the embedded Supabase: tests/fixtures/starters. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@supabase/supabase-js';
import postgres from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { listenOnLoopback } from '../../scripts/embedded/loopback.ts';
import { readState, type State } from '../../scripts/embedded/state.ts';
import { runCommand, startCommand } from '../support/command.ts';
import { removeEmbedded } from '../support/embedded.ts';
import { put } from '../support/project.ts';
import { until } from '../support/until.ts';
import { versionedProject } from '../support/versions.ts';

const starters = fileURLToPath(new URL('../fixtures/starters/', import.meta.url));
const script = 'scripts/local.ts';

/** A copy of a starter, with a folder for an embedded Supabase. */
async function starter(name: string) {
  const folder = await mkdtemp(path.join(tmpdir(), `imago-${name}-`));
  const project = path.join(folder, 'project');
  const environment = { IMAGO_FOLDER: path.join(folder, '.imago') };
  onTestFinished(async () => {
    await removeEmbedded(environment.IMAGO_FOLDER);
    await rm(folder, { recursive: true, force: true });
  });
  await cp(path.join(starters, name), project, { recursive: true });
  return { project, environment };
}

/** `npm run local` on it, as far as that it is running. */
async function local(name: string) {
  const { project, environment } = await starter(name);
  const command = startCommand(['--workdir', project], environment, { script });
  onTestFinished(async () => {
    command.child.kill('SIGINT');
    await command.finished;
  });
  await command.says('The embedded Supabase is running.');
  const state = readState(environment.IMAGO_FOLDER) as State;
  const sql = postgres(state.databaseUrl, { max: 1, onnotice: () => {} });
  onTestFinished(async () => await sql.end());
  return { project, environment, state, sql, command };
}

test('a starter with profiles: who signs up has a profile by its trigger, and the plan avatars runs on it', async () => {
  const { project, environment, state, sql, command } = await local('profiles');
  const client = createClient(state.url, state.publishableKey, { auth: { persistSession: false } });
  for (const name of ['nova', 'ali']) {
    const { error } = await client.auth.signUp({
      email: `${name}@example.com`,
      password: 'correct horse battery staple',
      options: { data: { full_name: name, avatar_url: `https://images.example.com/${name}.png` } },
    });
    expect(error).toBeNull();
  }
  expect(await sql`select display_name, avatar_url, username from public.users order by 1`).toMatchObject([
    { display_name: 'ali', username: expect.stringMatching(/^user_/) },
    { display_name: 'nova', avatar_url: 'https://images.example.com/nova.png' },
  ]);
  await sql`insert into public.posts (user_id, body) select id, 'hello' from public.users`;
  const policies = await sql`select policyname from pg_policies where schemaname = 'storage' order by 1`;
  expect(policies.map(({ policyname }) => policyname)).toEqual([
    'Anyone can update their own avatar.',
    'Avatar images are publicly accessible.',
    'Users upload into their own folder.',
  ]);

  const migrated = await runCommand(['--json'], environment);
  expect(migrated.json(), migrated.stderr).toMatchObject({ status: 'done', exit_code: 0 });
  expect(
    await sql`
      select a.name, a.avatar_image_url from public.posts p join public.avatars a on a.id = p.avatar_id order by 1`,
  ).toMatchObject([
    { name: 'ali' },
    { name: 'nova', avatar_image_url: 'https://images.example.com/nova.png' },
  ]);
  const back = await runCommand(['--rollback', '--json'], environment);
  expect(back.json(), back.stderr).toMatchObject({ status: 'done', exit_code: 0 });

  // It belongs to this project: what is new in it comes with the next command, and nothing else gets in.
  await put(
    project,
    'supabase/migrations/20241001000000_likes.sql',
    'create table public.likes (id bigint primary key);',
  );
  const status = await runCommand(['--stats-only', '--json'], environment);
  expect(status.json()).toMatchObject({ exit_code: 0 });
  expect(await sql`select to_regclass('public.likes')::text as name`).toEqual([{ name: 'likes' }]);
  const other = await runCommand(['--workdir', path.join(starters, 'chat')], environment, { script });
  expect(other).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`holds the project in ${project}. To have the project in`),
  });
  expect(other.stderr).toContain('add --reset');
  command.child.kill('SIGINT');
  expect(await command.finished).toMatchObject({ code: 0 });
});

test('a starter with payments: secrets, a job that runs each second and requests that are sent', async () => {
  const { sql, state } = await local('payments');
  await sql`
    insert into auth.users (id, email, encrypted_password, email_confirmed_at, aud, role, raw_app_meta_data, raw_user_meta_data)
    values ('5f0c3f0e-0d7b-4f0e-9d0a-3d8a5a0b7c11', 'ali@example.com', extensions.crypt('hunter2 hunter2', extensions.gen_salt('bf')),
      now(), 'authenticated', 'authenticated', '{"provider": "email", "providers": ["email"]}', '{}')`;
  const client = createClient(state.url, state.publishableKey, { auth: { persistSession: false } });
  const signedIn = await client.auth.signInWithPassword({
    email: 'ali@example.com',
    password: 'hunter2 hunter2',
  });
  expect(signedIn.error).toBeNull();

  const received: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    received.push(`${request.method} ${request.url} ${request.headers.authorization} ${chunks.join('')}`);
    response.writeHead(201, { 'content-type': 'text/plain' }).end('thanks\0');
  });
  onTestFinished(() => void server.close());
  await listenOnLoopback(server);
  const { port } = server.address() as { port: number };
  await sql`
    select vault.update_secret(id, ${`http://127.0.0.1:${port}`}) from vault.secrets where name = 'project_url'`;
  const [request] = await sql`select private.remind('sub_1') as id`;
  await until('the request is answered', async () => {
    const answers = await sql`
      select from net._http_response where id = ${request?.id} and status_code = 201 and content = ${'thanks\ufffd'}`;
    return answers.length > 0;
  });
  expect(received).toEqual(['POST /functions/v1/remind Bearer not a real key {"subscription": "sub_1"}']);

  await sql`
    insert into public.subscriptions (id, user_id, status, current_period_end)
    select 'sub_1', id, 'active', now() - interval '1 day' from auth.users`;
  await until('the job has run', async () => {
    const rows = await sql`select from public.subscriptions where status = 'canceled'`;
    return rows.length > 0;
  });
  await until('what it did is written down', async () => {
    const runs = await sql`
      select from cron.job_run_details where status = 'succeeded' and return_message = 'UPDATE 1' and username = 'postgres'`;
    return runs.length === 1;
  });
  // Nobody listens where the webhook goes.
  await until('the webhooks of both writes have failed', async () => {
    const failed = await sql`
      select from supabase_functions.hooks h join net._http_response r on r.id = h.request_id where r.error_msg <> ''`;
    return failed.length === 2;
  });
});

test('a starter with chat rooms: changes are broadcast, and policies on messages and files hold', async () => {
  const { sql } = await local('chat');
  const [ali, nova] = ['5f0c3f0e-0d7b-4f0e-9d0a-3d8a5a0b7c11', '5f0c3f0e-0d7b-4f0e-9d0a-3d8a5a0b7c12'];
  await sql.unsafe(`
    insert into auth.users (id) values ('${ali}'), ('${nova}');
    insert into public.users (id, username) values ('${ali}', 'Ali'), ('${nova}', 'Nova');
    insert into public.channels (slug, created_by) values ('room', '${ali}');
    insert into public.members select id, '${ali}' from public.channels;
    insert into public.messages (message, user_id, channel_id) select 'hello', '${ali}', id from public.channels;
    insert into storage.objects (bucket_id, name) values ('files', 'room/plan.txt');`);
  const seenBy = async (user: string) =>
    await sql.begin(async (tx) => {
      await tx`select set_config('request.jwt.claims', ${JSON.stringify({ sub: user, role: 'authenticated' })}, true),
        set_config('realtime.topic', 'room', true)`;
      await tx`set local role authenticated`;
      const [row] = await tx`
        select (select count(*)::int from realtime.messages) as messages, (select count(*)::int from storage.objects) as files`;
      return row;
    });
  expect(await seenBy(ali)).toEqual({ messages: 1, files: 1 });
  expect(await seenBy(nova)).toEqual({ messages: 0, files: 0 });
  const [message] = await sql`select topic, event, payload from realtime.messages`;
  expect(message).toMatchObject({
    topic: 'room',
    event: 'INSERT',
    payload: { table: 'messages', record: { message: 'hello' } },
  });
  expect(await sql`select id from public.users where username = 'ALI'`).toEqual([{ id: ali }]);
  expect(
    await sql`select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by 1`,
  ).toEqual([{ tablename: 'channels' }, { tablename: 'messages' }]);
});

test('a migration that needs what only hosted Supabase has fails with its name, and goes on when it is fixed', async () => {
  const { project, environment } = await starter('search');
  const failed = await runCommand(['--workdir', project], environment, { script });
  expect(failed).toMatchObject({ code: 1, stdout: '' });
  expect(failed.stderr).toContain('20240705000000_embeddings.sql');
  expect(failed.stderr).toContain(
    'The extension vector is not part of the embedded Supabase. docs/embedded.md lists',
  );
  await put(
    project,
    'supabase/migrations/20240705000000_embeddings.sql',
    `do $$ begin
      if exists (select from pg_available_extensions where name = 'vector') then
        create extension if not exists vector with schema extensions;
        alter table public.documents add column embedding extensions.vector(384);
      end if;
    end $$;`,
  );
  const fixed = await runCommand(['--stats-only', '--plan', 'avatars', '--json'], environment);
  expect(fixed.stderr).toContain('Applying 6 migrations');
});

test('npm run local refuses a folder that is no project, and a project beside another app', async () => {
  for (const [args, message] of [
    [['--workdir', tmpdir()], 'It must be a folder with supabase/ in it.'],
    [
      ['--workdir', path.join(starters, 'chat'), '--sample', '10'],
      "cannot be used with option '--sample <n>'",
    ],
  ] as const) {
    const refused = await runCommand(args, {}, { script });
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  }
});

describe('db on a starter', () => {
  const versions = async (name: string) => {
    const project = await versionedProject();
    await cp(path.join(starters, name), project.folder, { recursive: true });
    return project;
  };

  test('reset takes out what versions have put into the schemas of the platform, and applies them again', async () => {
    const { run, db } = await versions('payments');
    expect(await run('upgrade')).toMatchObject({ status: 'done' });
    expect(await run('reset', '--confirm', db.name)).toMatchObject({ status: 'done' });
  });

  test('upgrade names the extension that is missing', async () => {
    const { refusal } = await versions('search');
    expect(await refusal('upgrade')).toMatchObject({
      message: expect.stringContaining(
        '20240705000000_embeddings.sql:1: extension "vector" is not available',
      ),
      hint: expect.stringContaining('The extension vector is not part of the embedded Supabase.'),
    });
  });
});
