/** The dashboard in a real Chromium: on this machine beside a real database, and as a file of any web server. */
import { execFileSync } from 'node:child_process';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { createClient } from '@supabase/supabase-js';
import axe from 'axe-core';
import type { Sql } from 'postgres';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { act, ask, lookAt, openTab, press, says, startChromium, until } from '../../scripts/docs/chromium.ts';
import { prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { freshProject, type Project, startCommand } from '../support/command.ts';
import { installCron, jobs } from '../support/cron.ts';
import { checksums } from '../support/imago.ts';
import { startRealtime } from '../support/realtime.ts';
import { until as holds } from '../support/until.ts';

const WIDE = { width: 1200, height: 900, scheme: 'light' } as const;
const NARROW = { width: 360, height: 740, scheme: 'dark' } as const;
const TABS = ['run', 'aside', 'checks', 'rehearsal', 'history', 'log', 'ending'];

let browser: Browser;

beforeAll(async () => {
  browser = await startChromium();
});

afterAll(async () => {
  await browser?.close();
});

/** Starts the command on a project; gives the address that it prints. */
async function startDashboard({ environment }: Project) {
  const command = startCommand(['--no-open'], environment, { script: 'scripts/dashboard.ts' });
  onTestFinished(() => void command.child.kill('SIGKILL'));
  await command.says('Ctrl-C stops it');
  await holds('its address is on stdout', async () => command.stdout().includes('#'));
  return { command, url: command.stdout().trim() };
}

/** How much has moved under the reader's eyes by itself, as browsers measure it. */
const countShifts = `
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const { hadRecentInput, value } of list.getEntries()) if (!hadRecentInput) window.shifted += value;
  }).observe({ type: 'layout-shift' });`;

/** A tab of its own, with what it asked for and what went wrong in it. */
async function openPage(url: string) {
  const context = await browser.createBrowserContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const asked = new Set<string>();
  const faults: string[] = [];
  page.on('request', (sent) => asked.add(new URL(sent.url()).origin));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (/Content.Security.Policy|Uncaught/.test(message.text())) faults.push(message.text());
  });
  await page.evaluateOnNewDocument(countShifts);
  await lookAt(page, WIDE);
  await page.goto(url);
  return { page, asked, faults };
}

const submit = async (page: Page) => await page.locator('dialog button[type=submit]').click();

/** What axe finds in the page as it is now. */
async function flaws(page: Page): Promise<unknown> {
  await page.evaluate(axe.source);
  return await page.evaluate(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => [id, String(target), failureSummary])))`);
}

/** Makes the avatar of one user impossible; gives the key. */
async function poison(sql: Sql): Promise<string> {
  const id = await value<string>(sql, 'select id from public.users order by id offset 7 limit 1');
  await sql`update public.users set display_name = 'Adelheid Xq7' where id = ${id}`;
  await sql.unsafe(`alter table public.avatars add constraint sober check (name <> 'Adelheid Xq7')`);
  return id;
}

const state = (sql: Sql) => value<string>(sql, 'select state from imago.run order by id desc limit 1');

test('a whole run from the page: forward, paused by hand, a failure looked at, one back, all back, by force where somebody has edited', async () => {
  const project = await freshProject({ users: 200 });
  const { sql } = project.db;
  await prepareAll(sql);
  const id = await poison(sql);
  const before = await checksums(sql);
  // Slow enough that somebody can pause it.
  await call(sql, 'throttle_migration', { max_per_second: 4 });
  const { command, url } = await startDashboard(project);
  const { page, asked, faults } = await openPage(url);

  await ask(page, 'start');
  expect(await flaws(page)).toEqual([]);
  await submit(page);
  await until(page, "Number.parseFloat(document.querySelector('.percent')?.textContent) > 0");
  await act(page, 'pause');
  await says(page, 'Paused: nothing moves');
  expect(await page.evaluate('window.shifted')).toBeLessThan(0.02);
  expect(await state(sql)).toBe('paused');
  await lookAt(page, { ...WIDE, scheme: 'dark' });
  expect(await flaws(page)).toEqual([]);

  // The token is not in the address any more, and a page that is loaded again has it still.
  expect(page.url()).toBe(new URL('/', url).href);
  await page.reload();
  await call(sql, 'throttle_migration', { max_per_second: 0 });
  await act(page, 'resume');
  await says(page, 'All done, except 1 user set aside');
  expect(await page.evaluate('window.shifted')).toBeLessThan(0.02);
  await openTab(page, 'aside');
  await says(page, `Failed · 23514`);
  await says(page, id);
  await says(page, 'constraint sober');
  expect(await page.content()).not.toContain('Xq7');

  for (const [index, tab] of TABS.entries()) {
    await openTab(page, tab);
    for (const look of index % 2 === 0 ? [WIDE, NARROW] : [NARROW, WIDE]) {
      await lookAt(page, look);
      expect([tab, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([tab, look.width]);
    }
    // Each in one of the schemes, the next in the other.
    expect([tab, await flaws(page)]).toEqual([tab, []]);
  }
  await openTab(page, 'checks');
  await press(page, 'Check now');
  await until(
    page,
    "document.querySelector('.verdict') && !document.querySelector('.actions .primary:disabled')",
  );

  await sql.unsafe('alter table public.avatars drop constraint sober');
  await act(page, 'retry');
  await says(page, 'All done.');
  expect(await state(sql)).toBe('succeeded');

  await act(page, 'rollback_one', { entity: id });
  await says(page, 'is back, and held');
  expect(await value(sql, `select active_avatar_id from public.users where id = '${id}'`)).toBeNull();

  await page.setOfflineMode(true);
  await says(page, 'Nobody answers');
  await page.setOfflineMode(false);
  await until(page, "!document.querySelector('.met')");

  await sql`
    update public.avatars set name = 'edited' where id = (
      select active_avatar_id from public.users where active_avatar_id is not null order by id limit 1)`;
  await ask(page, 'rollback_all');
  await page.locator('dialog [name=confirm]').fill('avatar');
  expect(await page.$eval('dialog button[type=submit]', (button) => button.hasAttribute('disabled'))).toBe(
    true,
  );
  await page.locator('dialog [name=confirm]').fill('avatars');
  await submit(page);
  await says(page, 'All taken back, except 1 user in conflict');
  await openTab(page, 'aside');
  await says(page, 'a row that was inserted has been edited');
  await ask(page, 'rollback_all');
  await says(page, '1 user in conflict: without force they stay again.');
  await page.locator('dialog [name=force]').click();
  await page.locator('dialog [name=confirm]').fill('avatars');
  await submit(page);
  await says(page, 'All taken back.');
  expect(await checksums(sql)).toEqual(before);
  await openTab(page, 'history');
  await says(page, '198 users taken back');

  expect([...asked]).toEqual([new URL(url).origin]);
  expect(faults).toEqual([]);
  expect(await page.content()).not.toContain(project.secretKey);
  command.child.kill('SIGTERM');
  expect(await command.finished).toMatchObject({ code: 0 });
});

test('scheduled, fixed and finalized from the page: each says first what it will do', async () => {
  const project = await freshProject({ users: 20, avatars: 'prepared' });
  const { sql } = project.db;
  await installCron(project.db);
  const { url } = await startDashboard(project);
  const { page, faults } = await openPage(url);
  const isClosed = async () => await until(page, "!document.querySelector('dialog')");

  await openTab(page, 'ending');
  await ask(page, 'schedule');
  await says(page, 'The job goes away by itself when the run ends.');
  await submit(page);
  await says(page, 'pg_cron works on it every 10 seconds');
  expect(await jobs(project.db)).toHaveLength(1);
  await act(page, 'unschedule');
  await says(page, 'pg_cron does not work on it any more.');
  expect(await jobs(project.db)).toEqual([]);
  await act(page, 'start');
  await says(page, 'All done.');

  await sql`update public.posts set avatar_id = null where id in (select id from public.posts order by id limit 3)`;
  await openTab(page, 'checks');
  await press(page, 'Check now');
  await says(page, 'posts_without_avatar');
  await ask(page, 'fix');
  await says(page, 'posts_without_avatar: 3 would be fixed (rows: public.posts 3).');
  await submit(page);
  await says(page, '3 fixed.');
  expect(await value(sql, 'select count(*)::int from public.posts where avatar_id is null')).toBe(0);

  await openTab(page, 'ending');
  const phase = () => value<string>(sql, `select get_detailed_migration_progress() ->> 'phase'`);
  for (let step = 0; (await phase()) !== 'finalized'; step += 1) {
    expect(step).toBeLessThan(20);
    await act(page, 'finalize', { confirm: 'avatars' });
    await isClosed();
  }
  await says(page, 'Finalized.');
  await until(page, "document.querySelector('[data-action=rollback_all]').title !== ''");
  expect(faults).toEqual([]);
});

test('who has no token, comes by another name or from another page gets nothing', async () => {
  const project = await freshProject({ users: 5 });
  const { url } = await startDashboard(project);
  const { port, hash } = new URL(url);
  const host = `127.0.0.1:${port}`;
  const bearer = { authorization: `Bearer ${hash.slice(1)}` };
  /** As any program can send it: the browser's own headers are ours to choose. */
  const send = async (headers: Record<string, string>, to = '/functions/v1/progress?view=plans') =>
    await new Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }>(
      (resolve) => {
        request({ port, path: to, headers: { host, ...headers } }, (reply) => {
          let text = '';
          reply.on('data', (chunk) => {
            text += chunk;
          });
          reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text, headers: reply.headers }));
        }).end();
      },
    );

  const good = await send(bearer);
  expect([good.status, JSON.parse(good.text).role]).toEqual([200, 'key']);
  expect(good.headers).not.toHaveProperty('access-control-allow-origin');
  const refused: [status: number, headers: Record<string, string>][] = [
    [401, {}],
    [401, { authorization: 'Bearer ' }],
    [401, { authorization: `${bearer.authorization}x` }],
    [401, { authorization: bearer.authorization.slice(0, -1) }],
    [401, { apikey: project.secretKey }],
    [421, { ...bearer, host: 'imago.example' }],
    [421, { ...bearer, host: `imago.example:${port}` }],
    [421, { ...bearer, host: '127.0.0.1' }],
    [403, { ...bearer, origin: 'http://imago.example' }],
    [403, { ...bearer, origin: 'null' }],
    [403, { ...bearer, 'sec-fetch-site': 'cross-site' }],
    [403, { ...bearer, 'sec-fetch-site': 'same-site' }],
  ];
  for (const [status, headers] of refused) {
    const reply = await send(headers);
    expect([headers, reply.status]).toEqual([headers, status]);
    expect(Object.keys(JSON.parse(reply.text))).toEqual(['code', 'message', 'hint']);
  }
  expect((await send({ host: `imago.example:${port}` }, '/')).status).toBe(421);
  expect((await send(bearer, '/functions/v1/gigs')).status).toBe(404);
  // Without FLEET_DATABASE_URL there is no fleet.
  expect((await send(bearer, '/fleet')).status).toBe(404);
  const page = await send({}, '/');
  expect(page.status).toBe(200);
  expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
  expect(page.text).not.toContain(hash.slice(1));
  expect(page.text).not.toContain(project.secretKey);
  expect(page.text).not.toContain('data-fleet');
});

test('as one file of any web server: signed in by Auth, a viewer looks, an operator moves, all else is refused', async () => {
  const root = path.resolve(import.meta.dirname, '../..');
  const html = execFileSync(process.execPath, [path.join(root, 'scripts/build-page.ts')], {
    maxBuffer: 16 * 1024 * 1024,
  });
  expect(gzipSync(html).length).toBeLessThanOrEqual(120 * 1024);
  const [, policy = ''] = /Content-Security-Policy" content="([^"]*)"/.exec(String(html)) ?? [];
  expect(policy).toMatch(/default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+';/);
  const server = createServer((_, reply) => reply.setHeader('content-type', 'text/html').end(html));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;

  const project = await freshProject({ users: 30, avatars: 'prepared' });
  const realtime = await startRealtime(project.url);
  onTestFinished(() => realtime.close());
  const { sql } = project.db;
  const password = 'a long password';
  const people = ['nobody', 'viewer', 'operator'];
  for (const name of people) {
    const client = createClient(project.url, project.publishableKey, { auth: { persistSession: false } });
    const { error } = await client.auth.signUp({ email: `${name}@example.test`, password });
    expect(error).toBeNull();
    await sql`
      update auth.users set raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || ${sql.json({ imago_role: name })}
      where email = ${`${name}@example.test`}`;
  }
  const at = new URLSearchParams({ url: realtime.url, key: project.publishableKey });
  const signIn = async (name: string, isFirst = false) => {
    const opened = await openPage(`http://127.0.0.1:${port}/#${at}`);
    const { page } = opened;
    await page.locator('[name=email]').fill(`${name}@example.test`);
    if (isFirst) {
      await page.locator('[name=password]').fill('wrong');
      await page.locator('form button').click();
      await says(page, 'Not signed in');
      expect(await flaws(page)).toEqual([]);
    }
    await page.locator('[name=password]').fill(password);
    await page.locator('form button').click();
    return opened;
  };
  const reason = async (page: Page, action: string) =>
    await page.$eval(`[data-action=${action}]`, (button) => button.getAttribute('title'));

  // Nothing is asked of an engine that is newer than the page knows; it goes on once the page fits.
  await sql`update imago.setting set value = '99' where name = 'engine_version'`;
  const operator = await signIn('operator', true);
  await says(operator.page, 'The engine is newer than this page');
  expect(realtime.joined).toEqual([]);
  await call(sql, 'notify_migrations', { ways: 'realtime' });
  await sql`update imago.setting set value = '1' where name = 'engine_version'`;

  // By Realtime first: what has happened is looked at, and figures need no look at all.
  await holds('the page listens', async () => realtime.joined.length > 0);
  expect(realtime.joined).toMatchObject([
    { topic: 'realtime:imago:avatars', isPrivate: true, token: expect.stringMatching(/^ey/) },
  ]);
  let relayed = 0;
  const moveSome = async () => {
    await sql`update imago.governor set broadcast_at = null`;
    await call(sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
    const messages = await sql`select topic, event, payload from realtime.messages order by inserted_at`;
    for (const { topic, event, payload } of messages.slice(relayed)) {
      realtime.broadcast(`realtime:${topic}`, event, payload);
    }
    relayed = messages.length;
    const moved = await value(sql, 'select count(active_avatar_id)::int from public.users');
    await says(operator.page, `${moved} of 30 users migrated`);
  };
  await moveSome();
  await realtime.silently(moveSome);

  // Without it the page looks, as before.
  realtime.end();
  await act(operator.page, 'start');
  await says(operator.page, 'All done.');
  expect(await state(sql)).toBe('succeeded');
  expect(await reason(operator.page, 'rollback_all')).toContain('secret key');
  expect([...operator.asked].sort()).toEqual([`http://127.0.0.1:${port}`, realtime.url].sort());

  const viewer = await signIn('viewer');
  await says(viewer.page, '30 of 30 users migrated');
  expect(await reason(viewer.page, 'rollback_one')).toContain('You are a viewer');
  await press(viewer.page, 'Sign out viewer@example.test');
  await says(viewer.page, 'Sign in to your project');

  const nobody = await signIn('nobody');
  await says(nobody.page, 'You have no role here');
  for (const { faults } of [operator, viewer, nobody]) expect(faults).toEqual([]);
});
