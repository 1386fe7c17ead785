/** The queries for Studio and the dashboard for Grafana that docs/ has: they run, and name what there is. */
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { metricNames } from '../../functions/_shared/metrics.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';

const folder = new URL('../../docs/', import.meta.url);

describe('docs/studio', async () => {
  const files = (await readdir(new URL('studio/', folder))).filter((file) => file.endsWith('.sql'));
  let db: TestDatabase;
  beforeAll(async () => {
    db = await freshDatabase({ app: 'sample', users: 20, avatars: 'prepared' });
    await db.sql.unsafe(`alter table public.avatars add constraint nobody check (owner_user_id not in (
      '${(await db.sql<{ id: string }[]>`select id from public.users limit 1`)[0]?.id}'))`);
    await migrateAll(db.sql);
  });
  afterAll(() => db.drop());

  test('each is listed, says what it shows, changes nothing and has rows where there is something to see', async () => {
    const page = await readFile(new URL('studio/README.md', folder), 'utf8');
    expect(files).toHaveLength(8);
    const seen: Record<string, number> = {};
    for (const file of files) {
      const query = await readFile(new URL(`studio/${file}`, folder), 'utf8');
      expect([file, page.includes(`[${file}](${file})`), query]).toEqual([
        file,
        true,
        expect.stringMatching(/^-- Imago: .+\n(?!--)/),
      ]);
      // Progress notes what it has counted, so read-only is asked of the others.
      const rows = await db.sql.begin(file === 'progress.sql' ? '' : 'read only', (sql) => sql.unsafe(query));
      seen[file] = rows.length;
    }
    expect(Object.keys(seen).filter((file) => seen[file] === 0)).toEqual(['conflicts.sql']);
  });
});

test('docs/grafana.json asks for figures that the function progress gives, and for all that change while a run works', async () => {
  const dashboard = await readFile(new URL('grafana.json', folder), 'utf8');
  const asked = new Set(
    JSON.parse(dashboard).panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
      targets.flatMap(({ expr }) => expr.match(/\bimago_\w+/g) ?? []),
    ),
  );
  const given = metricNames();
  expect([...asked].filter((name) => !given.includes(name as string))).toEqual([]);
  const left = [
    'imago_entities_all',
    'imago_batches_total',
    'imago_database_connections',
    'imago_cache_hit_ratio',
  ];
  expect(given.filter((name) => !asked.has(name))).toEqual(left);
});
