/**
 * Makes the pictures of the dashboard in docs/images/: `node scripts/docs/screenshots.ts`. They are of a migration of the sample
 * app on an embedded Supabase of its own, and of a fleet of such databases.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'puppeteer-core';
import { openDatabase } from '../connection/open.ts';
import { openFleet } from '../dashboard/fleet.ts';
import { openDashboard } from '../dashboard/server.ts';
import { ensureEmbedded } from '../embedded/supabase.ts';
import { root } from '../manifest.ts';
import { act, drawn, type Look, lookAt, openTab, press, says, startChromium, until } from './chromium.ts';
import { openPicturedFleet } from './fleet-picture.ts';

const to = process.argv[2] ?? path.join(root, 'docs', 'images');
const wide = { width: 1120, height: 900 };
const narrow = { width: 360, height: 740 };
const everyLook: Look[] = [wide, narrow].flatMap((size) =>
  (['light', 'dark'] as const).map((scheme) => ({ ...size, scheme })),
);

const folder = mkdtempSync(path.join(tmpdir(), 'imago-pictures-'));
mkdirSync(to, { recursive: true });
const embedded = await ensureEmbedded({ folder, sample: 20_000, onStep: console.error });
const pictured = await openPicturedFleet();
const fleet = openFleet(pictured.controlUrl, console.error);
const dashboard = await openDashboard({ project: embedded, fleet });
const browser = await startChromium();
const sql = openDatabase(embedded.databaseUrl, { warn: console.error });
try {
  const page = await browser.newPage();
  await lookAt(page, everyLook[0] as Look);
  await page.goto(dashboard.url, { timeout: 120_000 });
  await page.locator('[href="#fleet"]').click();
  for (const text of pictured.says) await says(page, text);
  await pictures(page, 'fleet', everyLook.slice(0, 3));
  await page.locator('[href="#plans"]').click();
  await openTab(page, 'rehearsal');
  await press(page, 'Try a sample');
  await says(page, 'The whole run');
  await pictures(page, 'before', everyLook.slice(0, 1));

  // One cannot be moved, and another one is changed once it was.
  const [odd, edited] = await sql`select id from public.users order by id offset 900 limit 2`;
  await sql`update public.users set display_name = 'odd' where id = ${odd?.id}`;
  await sql`select public.throttle_migration(max_per_second => 900)`;
  await act(page, 'start');
  await openTab(page, 'run');
  await until(page, 'Number.parseFloat(document.querySelector(".percent").textContent) > 2');
  await sql`alter table public.avatars add constraint names_are_sound check (name <> 'odd') not valid`;
  await until(page, 'Number.parseFloat(document.querySelector(".percent").textContent) > 30');
  await act(page, 'pause');
  await says(page, 'Paused: nothing moves');
  await pictures(page, 'run', everyLook.slice(0, 3));
  await sql`select public.throttle_migration(max_per_second => 0)`;
  await act(page, 'resume');
  await says(page, 'All done');
  await sql`update public.avatars set name = 'edited' where owner_user_id = ${edited?.id}`;
  await act(page, 'rollback_all', { confirm: 'avatars' });
  await says(page, 'in conflict:');
  await openTab(page, 'aside');
  await says(page, 'Roll back with force');
  await pictures(page, 'aside', everyLook.slice(1, 2));
} finally {
  await sql.end();
  await browser.close();
  await dashboard.close();
  await fleet.close();
  await pictured.close();
  await embedded.release();
  rmSync(folder, { recursive: true, force: true });
}
// The server of the embedded Supabase had its log there.
process.exit();

/** As it is now, in each of these looks. */
async function pictures(page: Page, name: string, looks: readonly Look[]): Promise<void> {
  for (const look of looks) {
    await lookAt(page, look);
    await drawn(page);
    const size = look.width === wide.width ? 'wide' : 'narrow';
    await page.screenshot({ path: path.join(to, `dashboard-${name}-${size}-${look.scheme}.png`) });
  }
  await lookAt(page, everyLook[0] as Look);
}
