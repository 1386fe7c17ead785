/** Whatever two databases can differ in: `check` sees it, and `migrate` writes it, there and back, or says what it cannot write. */
import type { Sql } from 'postgres';
import { expect, test } from 'vitest';
import {
  type Catalog,
  catalogIn,
  compareCatalogs,
  type Difference,
  essential,
} from '../../scripts/db/catalog.ts';
import type { Change } from '../support/changes/change.ts';
import { changesOfDatabase, labelOfDatabase, newOwner } from '../support/changes/database.ts';
import { changesOfOthers, changesOfSuperusers } from '../support/changes/others.ts';
import { changesOfTables } from '../support/changes/tables.ts';
import { versionedProject } from '../support/versions.ts';

const changes = [...changesOfTables, ...changesOfOthers];

function said(from: Catalog, to: Catalog): string[] {
  return essential(compareCatalogs(from, to)).map(({ change, object, aspects }) =>
    [`${change} ${object}`, aspects.join(', ')].filter(Boolean).join(': '),
  );
}

/** What is said of each change, made by itself after all that was there before. */
async function seen(sql: Sql, list: readonly Change[]): Promise<string[]> {
  const found: string[] = [];
  const takenBack = await sql
    .begin(async (tx) => {
      await tx.unsafe(list.map((change) => change.before).join('\n'));
      const base = await catalogIn(tx);
      for (const change of list) {
        await tx.unsafe(`savepoint change; ${change.sql}`);
        const after = await catalogIn(tx);
        expect(compareCatalogs(after, base)).toEqual(compareCatalogs(base, after).map(turned));
        found.push(said(base, after).join(' and '));
        await tx.unsafe('rollback to savepoint change');
      }
      await tx`select 1 / 0`;
    })
    .catch((error: { code?: string }) => error.code);
  expect(takenBack).toBe('22012');
  return found;
}

function turned(difference: Difference): Difference {
  const change = { added: 'removed', removed: 'added', changed: 'changed' } as const;
  return { ...difference, change: change[difference.change] };
}

test('each change is seen, and nothing else with it, in both directions', async () => {
  const { db, sql } = await versionedProject();
  expect(await seen(sql, changes)).toEqual(changes.map(({ says }) => says));
  const admin = db.connect({ role: 'supabase_admin' });
  expect(await seen(admin, changesOfSuperusers)).toEqual(changesOfSuperusers.map(({ says }) => says));
});

test('so is each change of the database itself, whatever name it has', async () => {
  const { db, sql } = await versionedProject();
  const changes = [...changesOfDatabase(db.name), newOwner(db.name)];
  expect(await seen(sql, changes)).toEqual(changes.map(({ says }) => says));
  const label = labelOfDatabase(db.name);
  expect(await seen(db.connect({ role: 'supabase_admin' }), [label])).toEqual([label.says]);
});

test('all changes together become a version that makes them, and a way back that takes them back', async () => {
  const project = await versionedProject();
  const ofDatabase = changesOfDatabase('postgres');
  const others = changes.filter(({ unwritten }) => unwritten === undefined);
  const writable = [...others, ...ofDatabase];
  await project.write({ 'schemas/a.sql': writable.map((change) => change.before).join('\n') });
  await project.run('migrate', 'before');
  await project.write({ 'schemas/b.sql': writable.map((change) => `${change.sql};`).join('\n') });
  const { data } = await project.run('migrate', 'after', '--allow-data-loss');
  // What is said of the database itself is one of them.
  expect(data?.saw).toHaveLength(others.length + 1);
  await project.run('upgrade');
  expect(await project.run('check')).toMatchObject({ status: 'done' });
  await project.run('downgrade');
  const drift = (await project.run('check')).data?.drift as { between: string }[];
  expect(drift.filter(({ between }) => between === 'migrations and database')).toEqual([]);
});

test('what cannot be written is refused with the reason', async () => {
  const project = await versionedProject();
  const unwritten = changes.filter((change) => change.unwritten !== undefined);
  await project.startWith({ 'schemas/a.sql': unwritten.map((change) => change.before).join('\n') });
  for (const change of unwritten) {
    await project.write({ 'schemas/b.sql': change.sql });
    expect(await project.refusal('migrate', 'after')).toMatchObject({
      code: 'not-proven',
      message: expect.stringContaining(change.unwritten ?? ''),
    });
  }
  await project.write({ 'schemas/b.sql': 'create role nobody_makes_it' });
  expect(await project.refusal('migrate', 'after')).toMatchObject({
    code: 'model-fails',
    message: expect.stringContaining('b.sql:1: no version makes the role nobody_makes_it'),
  });
  expect(await project.files('migrations')).toHaveLength(1);
});
