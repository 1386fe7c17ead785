import type { Sql } from 'postgres';
import { createApp as createFrom } from '../../../scripts/embedded/sample.ts';

/** Makes the app of a fixture, with so many entities. `file` is a path from the root. */
export async function createApp(sql: Sql, file: string, entities: number): Promise<void> {
  await createFrom(sql, new URL(`../../../${file}`, import.meta.url), entities);
}
