/**
 * Builds the dashboard into one file of HTML, on stdout: scripts and styles stand in it, and a policy that allows these and no
 * others, by their hashes. `npm run build` puts it into dist/dashboard.html.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build, type Rolldown } from 'vite';

const folder = path.join(import.meta.dirname, 'dashboard', 'page');

const built = (await build({
  root: folder,
  configFile: false,
  logLevel: 'silent',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    write: false,
    target: 'es2023',
    modulePreload: false,
    rolldownOptions: { input: path.join(folder, 'main.tsx'), output: { codeSplitting: false } },
  },
})) as Rolldown.RolldownOutput;

/** No text in it may end the element that it stands in. */
const script = built.output
  .flatMap((file) => (file.type === 'chunk' ? [file.code] : []))
  .join('\n')
  .replaceAll(/<\/(?=script)/gi, '<\\/')
  .trim();
const style = built.output
  .flatMap((file) => (file.type === 'asset' && file.fileName.endsWith('.css') ? [String(file.source)] : []))
  .join('\n')
  .trim();

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** A project is at home behind https, an embedded one on this machine. */
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "connect-src 'self' https: http://127.0.0.1:* http://localhost:*",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const places: readonly [empty: string, filled: string][] = [
  ['Content-Security-Policy" content=""', `Content-Security-Policy" content="${policy}"`],
  ['<style></style>', `<style>${style}</style>`],
  ['<script type="module"></script>', `<script type="module">${script}</script>`],
];
let html = readFileSync(path.join(folder, 'page.html'), 'utf8');
for (const [empty, filled] of places) html = html.replace(empty, () => filled);
process.stdout.write(html);
