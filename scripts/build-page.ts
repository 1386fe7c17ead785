/**
 * Builds the dashboard into one file of HTML, on stdout: scripts and styles stand in it, and a policy that allows these and no
 * others, by their hashes. `npm run build` puts it into dist/dashboard.html.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { bundle, pageFolder } from './build-bundle.ts';

const { script: built, style } = await bundle('main.tsx');
/** No text in it may end the element that it stands in. */
const script = built.replaceAll(/<\/(?=script)/gi, '<\\/');

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** A project is at home behind https, an embedded one on this machine. Realtime is the same by another name. */
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "connect-src 'self' https: wss: http://127.0.0.1:* ws://127.0.0.1:* http://localhost:* ws://localhost:*",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const places: readonly [empty: string, filled: string][] = [
  ['Content-Security-Policy" content=""', `Content-Security-Policy" content="${policy}"`],
  ['<style></style>', `<style>${style}</style>`],
  ['<script type="module"></script>', `<script type="module">${script}</script>`],
];
let html = readFileSync(path.join(pageFolder, 'page.html'), 'utf8');
for (const [empty, filled] of places) html = html.replace(empty, () => filled);
process.stdout.write(html);
