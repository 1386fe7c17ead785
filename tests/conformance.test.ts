import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Fixture } from './support/conformance/fixture.ts';
import { conform } from './support/conformance.ts';

/**
 * Every plan under sql/plans/ through the same tests. What a plan needs for it is one file,
 * tests/support/conformance/<plan>.ts.
 */

const plans = fileURLToPath(new URL('../sql/plans/', import.meta.url));
const fixtures = new URL('./support/conformance/', import.meta.url);
const names = (await readdir(plans, { withFileTypes: true })).filter((entry) => entry.isDirectory());

for (const { name } of names) {
  const file = new URL(`${name}.ts`, fixtures);
  if (existsSync(file)) {
    const { default: fixture } = (await import(file.href)) as { default: Fixture };
    conform(name, fixture);
  } else {
    describe(name, () => {
      test('has a fixture', () => {
        expect.fail(`tests/support/conformance/${name}.ts is missing: write one like those beside it`);
      });
    });
  }
}
