/** The fleet as a page of the dashboard, in a real Chromium, on databases that are real. */
import axe from 'axe-core';
import type { Page } from 'puppeteer-core';
import { expect, onTestFinished, test } from 'vitest';
import { act, ask, lookAt, press, says, startChromium, until } from '../../scripts/docs/chromium.ts';
import { freshProject, startCommand } from '../support/command.ts';
import { addDatabase, begin, counts, freshFleet, startWorker, USERS, untilState } from '../support/fleet.ts';
import { until as holds } from '../support/until.ts';

const WIDE = { width: 1200, height: 900, scheme: 'light' } as const;
const NARROW = { width: 360, height: 740, scheme: 'dark' } as const;

/** What axe finds in the page as it is now, and whether it is wider than the screen. */
async function flaws(page: Page): Promise<unknown[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => [id, String(target), failureSummary])))`);
  const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
  return [...(found as unknown[]), ...(wide === 0 ? [] : [`${wide} pixels too wide`])];
}

test('without a project the page is the fleet alone, and no embedded Supabase is started', async () => {
  const fleet = await freshFleet();
  const environment = { FLEET_DATABASE_URL: fleet.url };
  const command = startCommand(['--no-open'], environment, { script: 'scripts/dashboard.ts' });
  onTestFinished(() => void command.child.kill('SIGKILL'));
  await command.says('Ctrl-C stops it');
  await holds('its address is on stdout', async () => command.stdout().includes('#'));
  const browser = await startChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const failed: string[] = [];
  page.on('response', (response) => void (response.ok() || failed.push(response.url())));
  await lookAt(page, WIDE);
  await page.goto(command.stdout().trim(), { timeout: 120_000 });
  await says(page, 'No rollout yet');
  expect(await page.$('.places')).toBeNull();
  expect(await flaws(page)).toEqual([]);
  expect(failed).toEqual([]);
  command.child.kill('SIGTERM');
  expect((await command.finished).stderr).not.toContain('PostgreSQL');
});

test('a rollout from the page: paused, stopped at a gate, past it, retried, taken back; no address and no secret of it is there', async () => {
  const fleet = await freshFleet();
  const project = await freshProject({ users: 5 });
  const environment = { ...project.environment, FLEET_DATABASE_URL: fleet.url };
  const command = startCommand(['--no-open'], environment, { script: 'scripts/dashboard.ts' });
  onTestFinished(() => void command.child.kill('SIGKILL'));
  await command.says('Ctrl-C stops it');
  await holds('its address is on stdout', async () => command.stdout().includes('#'));
  const url = command.stdout().trim();
  const browser = await startChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const asked = new Set<string>();
  const answers: string[] = [];
  const faults: string[] = [];
  page.on('request', (sent) => asked.add(new URL(sent.url()).origin));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('response', async (response) => {
    if (response.url().includes('/fleet')) answers.push(await response.text().catch(() => ''));
  });
  await lookAt(page, WIDE);
  await page.goto(url, { timeout: 120_000 });
  await page.locator('[href="#fleet"]').click();
  await says(page, 'No rollout yet');
  expect(await flaws(page)).toEqual([]);

  const first = await addDatabase(fleet, 'first', { wave: 'canary' });
  await addDatabase(fleet, 'lost', { wave: 'canary' });
  const last = await addDatabase(fleet, 'last');
  const { FLEET_TEST_LOST: place = '' } = process.env;
  delete process.env.FLEET_TEST_LOST;
  const rollout = await begin(fleet, { waves: ['canary', '100%'], stopPercent: 50, tries: 2 });
  await says(page, 'No worker is alive');
  await act(page, 'pause');
  await says(page, 'Paused. Nothing is lost');
  await untilState(fleet, rollout, 'paused');
  await act(page, 'resume');
  startWorker(fleet);

  await says(page, 'stopped at its gate: 1 failed');
  await says(page, 'SECRET');
  expect(await flaws(page)).toEqual([]);
  await ask(page, 'resume');
  await says(page, 'without the members that failed');
  await lookAt(page, NARROW);
  expect(await flaws(page)).toEqual([]);
  await page.locator('dialog button[type=submit]').click();
  await says(page, 'ended, some failed');
  expect(await flaws(page)).toEqual([]);

  process.env.FLEET_TEST_LOST = place;
  await press(page, 'Retry lost …');
  await page.locator('dialog button[type=submit]').click();
  await says(page, '3 of 3');
  expect(await counts(last)).toMatchObject({ moved: USERS, wrong: 0 });

  await ask(page, 'rollback');
  await page.locator('dialog [name=confirm]').fill('avatar');
  expect(await page.$('dialog button[type=submit]:disabled')).not.toBeNull();
  await page.locator('dialog [name=confirm]').fill('avatars');
  await page.locator('dialog button[type=submit]').click();
  await says(page, 'Rollout 2: rollback avatars');
  await untilState(fleet, 2, 'succeeded');
  expect(await counts(first)).toMatchObject({ moved: 0 });
  await until(page, "document.querySelector('main .chip').textContent === 'succeeded'");

  // The way there is behind the #, and the token is kept for the tab. What was seen stays when the control database goes.
  expect(page.url()).toBe(new URL('/#fleet', url).href);
  expect((await fetch(new URL('/fleet', url))).status).toBe(401);
  expect([...asked]).toEqual([new URL(url).origin]);
  expect(faults).toEqual([]);
  const { password, port } = new URL(fleet.url);
  const shown = [...answers, await page.content()].join();
  for (const secret of [password, `:${port}`, place, project.secretKey]) {
    expect(secret.length).toBeGreaterThan(3);
    expect(shown).not.toContain(secret);
  }
  await fleet.close();
  await says(page, 'What is shown below is from before');
});
