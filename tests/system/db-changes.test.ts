/** Whatever two databases can differ in: `check` sees it, and `migrate` writes it, there and back, or says what it cannot write. */
import type { TransactionSql } from 'postgres';
import { expect, test } from 'vitest';
import { type Catalog, catalogIn, compareCatalogs, essential } from '../../scripts/db/catalog.ts';
import type { Change } from '../support/changes/change.ts';
import { changesOfOthers } from '../support/changes/others.ts';
import { changesOfTables } from '../support/changes/tables.ts';
import { versionedProject } from '../support/versions.ts';

const changes = [...changesOfTables, ...changesOfOthers];
const before = changes.map((change) => change.before).join('\n');

function said(from: Catalog, to: Catalog): string[] {
  return essential(compareCatalogs(from, to)).map(({ change, object, aspects }) =>
    [`${change} ${object}`, aspects.join(', ')].filter(Boolean).join(': '),
  );
}

test('each change is seen, and nothing else with it, in both directions', async () => {
  const { sql } = await versionedProject();
  const made = async (tx: TransactionSql, change: Change, base: Catalog) => {
    let found: string[] = [];
    await tx
      .savepoint(async (nested) => {
        await nested.unsafe(change.sql);
        const after = await catalogIn(nested);
        found = said(base, after);
        const turned = { added: 'removed', removed: 'added', changed: 'changed' };
        expect(compareCatalogs(after, base)).toEqual(
          compareCatalogs(base, after).map((item) => ({ ...item, change: turned[item.change] })),
        );
        await nested`select 1 / 0`;
      })
      .catch((error: { code?: string }) => {
        if (error.code !== '22012') throw error;
      });
    return found;
  };
  await sql.begin(async (tx) => {
    await tx.unsafe(before);
    const base = await catalogIn(tx);
    const seen = [];
    for (const change of changes) seen.push((await made(tx, change, base)).join(' and '));
    expect(seen).toEqual(changes.map(({ says }) => says));
  });
});

test('all changes together become a version that makes them, and a way back that takes them back', async () => {
  const project = await versionedProject();
  const writable = changes.filter(({ unwritten }) => unwritten === undefined);
  await project.write({ 'schemas/a.sql': writable.map((change) => change.before).join('\n') });
  await project.run('migrate', 'before');
  await project.write({ 'schemas/b.sql': writable.map((change) => `${change.sql};`).join('\n') });
  const { data } = await project.run('migrate', 'after', '--allow-data-loss');
  expect(data?.saw).toHaveLength(writable.length);
  await project.run('upgrade');
  expect(await project.run('check')).toMatchObject({ status: 'done' });
  await project.run('downgrade');
  const drift = (await project.run('check')).data?.drift as { between: string }[];
  expect(drift.filter(({ between }) => between === 'migrations and database')).toEqual([]);
});

test('what cannot be written is refused with the reason', async () => {
  const project = await versionedProject();
  const unwritten = changes.filter((change) => change.unwritten !== undefined);
  await project.write({ 'schemas/a.sql': unwritten.map((change) => change.before).join('\n') });
  await project.run('migrate', 'before');
  for (const change of unwritten) {
    await project.write({ 'schemas/b.sql': change.sql });
    expect(await project.refusal('migrate', 'after')).toMatchObject({
      code: 'not-proven',
      message: expect.stringContaining(change.unwritten ?? ''),
    });
  }
  expect(await project.files('migrations')).toHaveLength(1);
});
