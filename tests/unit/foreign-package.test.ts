/** `imago` on the npm registry is not this: nothing may tell people to run or to install what is there. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';

/** Ways to have npm, or its kin, fetch a package by the name alone. */
const unsafe =
  /\b(?:npx|npm (?:exec|x)|pnpx|pnpm dlx|yarn dlx|bunx)(?: (?!--no\b|--no-install\b)-\S+)*(?: --)? imago\b|\b(?:npm (?:i|install|add|update)|pnpm add|yarn add|bun add)(?: -\S+)* imago\b/;

const places = [
  'README.md',
  'CHANGELOG.md',
  '.env.example',
  'package.json',
  'docs',
  'sql',
  'scripts',
  'functions',
  'examples',
  'supabase',
  'bench',
];

function files(place: string): string[] {
  const folder = path.join(packageFolder, place);
  if (/\.\w+$/.test(place) || place.startsWith('.')) return [place];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(md|sql|tsx?|json|toml|html)$/.test(entry.name))
    .map((entry) => path.relative(packageFolder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !/node_modules|\.temp|bench\/results/.test(file));
}

test('pages, help, hints and messages never have npx or npm fetch a package imago', () => {
  const found = places.flatMap(files).flatMap((file) =>
    readFileSync(path.join(packageFolder, file), 'utf8')
      .split('\n')
      .flatMap((line, n) => (unsafe.test(line) ? [`${file}:${n + 1}: ${line.trim()}`] : [])),
  );
  expect(found).toEqual([]);
});

test.each([
  ['npx imago doctor', true],
  ['npx -y imago doctor', true],
  ['npx --yes -- imago', true],
  ['npm exec imago', true],
  ['npm install imago@latest', true],
  ['npm i -D imago', true],
  ['npx --no imago doctor', false],
  ['npx --no-install imago', false],
  ['npm install --save-dev ./imago-1.0.0-rc.1.tgz', false],
  ['npm run imago -- install', false],
])('%s is found to fetch it: %s', (line, is) => expect(unsafe.test(line)).toBe(is));
