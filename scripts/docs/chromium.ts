/** The browser that the pictures are made with and the page is tried in: Debian's, or another Chromium of this machine. */
import { existsSync } from 'node:fs';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Starts it without a window; says what to install where there is none. */
export async function startChromium(): Promise<Browser> {
  const executablePath = [process.env.CHROMIUM ?? '', ...places].find((place) => existsSync(place));
  if (executablePath === undefined) {
    throw new Error(
      'Chromium is missing. Install it (Debian: apt-get install -y chromium), or set CHROMIUM to its path.',
    );
  }
  // In a container the sandbox of a root user cannot start, and memory that is shared is little.
  return await puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** For a machine that does much else. */
const patienceMs = 120_000;

export interface Look {
  width: number;
  height: number;
  scheme: 'light' | 'dark';
}

/** Shows the page at this size and in this scheme, without motion. */
export async function lookAt(page: Page, { width, height, scheme }: Look): Promise<void> {
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: scheme },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
}

/** Asks for an action of the plan, once it can be done, and confirms it. */
export async function act(page: Page, name: string, fields: Record<string, string> = {}): Promise<void> {
  await ask(page, name);
  for (const [field, text] of Object.entries(fields)) {
    await page.locator(`dialog [name=${field}]`).setTimeout(patienceMs).fill(text);
  }
  await page.locator('dialog button[type=submit]').setTimeout(patienceMs).click();
}

/** Opens the dialog of an action, once it can be done. */
export async function ask(page: Page, name: string): Promise<void> {
  await page.locator(`[data-action=${name}][aria-disabled=false]`).setTimeout(patienceMs).click();
}

/** Clicks the button of this name, once it is there and can be clicked. */
export async function press(page: Page, name: string): Promise<void> {
  await page.locator(`::-p-aria([name="${name}"][role="button"])`).setTimeout(patienceMs).click();
}

/** Opens one of the tabs. */
export async function openTab(page: Page, name: string): Promise<void> {
  await page.locator(`#tab-${name}`).setTimeout(patienceMs).click();
}

/** Waits until this, an expression of the page, is true. */
export async function until(page: Page, expression: string): Promise<void> {
  await page.waitForFunction(expression, { polling: 100, timeout: patienceMs });
}

/** Waits until the page says this. */
export async function says(page: Page, text: string): Promise<void> {
  await until(page, `document.body.textContent.includes(${JSON.stringify(text)})`);
}

/** Waits until what was changed is drawn. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate(
    'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))',
  );
}
