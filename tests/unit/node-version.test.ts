/** Which Node it needs: said in several places, and the same in each. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { packageFolder } from '../../scripts/package.ts';

const text = (file: string) => readFileSync(path.join(packageFolder, file), 'utf8');

const packages = z.record(
  z.string(),
  z.looseObject({
    engines: z.looseObject({ node: z.string().optional() }).optional(),
    optional: z.boolean().optional(),
  }),
);

/** The oldest Node as the places that name one have it. */
const said = {
  'README.md': /needs Node ([\d.]+) or newer/.exec(text('README.md'))?.[1],
  'docs/install.md': /needs Node ([\d.]+) or newer/.exec(text('docs/install.md'))?.[1],
  'package.json': /"node": ">=([\d.]+)"/.exec(text('package.json'))?.[1],
  'package-lock.json': /"node": ">=([\d.]+)"/.exec(text('package-lock.json'))?.[1],
  'scripts/imago.ts': /oldestNode = \[(\d+, \d+)\]/.exec(text('scripts/imago.ts'))?.[1]?.replace(', ', '.'),
};

/** Whether a range of npm takes a version; of its syntax only what packages write about Node. */
function takes(range: string, version: readonly number[]): boolean {
  return range.split('||').some((part) => {
    const [, sign, numbers = '', limit] =
      /^\s*(>=|\^|)\s*([\d.]+?)(?:\.[*x])?(?:\s+<(\d+)\.0\.0)?\s*$/.exec(part) ?? [];
    if (sign === undefined) throw new Error(`a range that is not known here: ${range}`);
    const least = numbers.split('.').map(Number);
    const differs = least.findIndex((number, i) => number !== (version[i] ?? 0));
    const reached = differs === -1 || (least[differs] ?? 0) < (version[differs] ?? 0);
    const isBelow = limit === undefined || (version[0] ?? 0) < Number(limit);
    return reached && isBelow && (sign === '>=' || least[0] === version[0]);
  });
}

test('the oldest Node is the same in README, docs, package.json, its lock file and the bin', () => {
  expect(new Set(Object.values(said))).toEqual(new Set([said['package.json']]));
  expect(said['package.json']).toMatch(/^\d+\.\d+$/);
});

test('no page names another Node than that as needed', () => {
  const named = [
    'README.md',
    'docs/install.md',
    'docs/commands.md',
    'docs/write-a-plan.md',
    'docs/functions.md',
  ]
    .flatMap((file) => [...text(file).matchAll(/Node (\d[\d.]*\d) or newer/g)])
    .map(([, version]) => version);
  expect(new Set(named)).toEqual(new Set([said['package.json']]));
});

test('on the oldest Node and on those with long support npm ci warns of no package', () => {
  const { packages: all } = z.object({ packages }).parse(JSON.parse(text('package-lock.json')));
  const oldest = (said['package.json'] ?? '').split('.').map(Number);
  const warned = [oldest, [24, 0, 0], [26, 0, 0]].flatMap((version) =>
    Object.entries(all)
      .filter(([, { optional, engines }]) => !optional && engines?.node !== undefined)
      .filter(([, { engines }]) => !takes(engines?.node ?? '', version))
      .map(([name]) => `${name} on ${version.join('.')}`),
  );
  expect(warned).toEqual([]);
  expect(takes('>=22', [20, 19])).toBe(false);
  expect(takes('>=20.19.0 <22.0.0 || >=23.0.0', [22, 13])).toBe(false);
  expect(takes('^20.0.0 || >=24.0.0', [22, 13])).toBe(false);
});
