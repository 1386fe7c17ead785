import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { Fixture } from './fixture.ts';

const folder = new URL('../../../sql/plans/', import.meta.url);

/** Has every plan under sql/plans/ tried. What a plan needs for it is one file, tests/support/conformance/<plan>.ts. */
export async function everyPlan(conform: (plan: string, fixture: Fixture) => void): Promise<void> {
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  for (const { name } of names) {
    const file = new URL(`${name}.ts`, import.meta.url);
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
}
