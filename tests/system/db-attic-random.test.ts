/**
 * Down and up again, on random small schemas: rows, objects and sequences are as they were, whatever refers to what.
 * IMAGO_TEST_SEED is the first seed, IMAGO_TEST_SEEDS how many there are.
 */
import type { TransactionSql } from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { Problem } from '../../scripts/db/problem.ts';
import { readScript } from '../../scripts/db/running.ts';
import { readStructure } from '../../scripts/db/structure.ts';
import { walkBack, walkForward } from '../../scripts/db/walking.ts';
import { freshDatabase } from '../support/database.ts';
import { generator, seedFrom } from '../support/random.ts';
import { type RandomVersion, randomVersion } from '../support/random-versions.ts';
import { type Everything, everything, expectSame, measure, tryEach } from '../support/walking.ts';

const first = seedFrom(process.env.IMAGO_TEST_SEED, 1);
const count = Number(process.env.IMAGO_TEST_SEEDS ?? 200);

const catalogs =
  'attrdef attribute class constraint depend description enum index inherits namespace policy proc rewrite sequence shdepend statistic trigger type'
    .split(' ')
    .map((name) => `pg_${name}`);

test(`of ${count} random versions each comes back whole`, { timeout: 0 }, async () => {
  // Supabase's own tables, which no version touches, would be read with each look.
  const db = await freshDatabase({ template: 'template1' });
  onTestFinished(db.drop);
  const sql = db.connect();
  await sql`set client_min_messages = error`;
  const wrong: string[] = [];
  for (let seed = first; seed < first + count; seed += 1) {
    const version = randomVersion(generator(seed));
    // What is given up again stays behind in the catalogue, which each case reads.
    if ((seed - first) % 20 === 19) await sql.unsafe(`vacuum ${catalogs.join(', ')}`);
    await sql.unsafe('begin');
    const problem = await walk(sql as unknown as TransactionSql, version).catch((error: unknown) => error);
    await sql.unsafe('rollback');
    if (problem === undefined) continue;
    wrong.push(described(seed, version, problem));
    // By hand there may be thousands of them.
    console.error(wrong.at(-1));
  }
  expect(wrong.slice(0, 12).join('\n\n')).toBe('');
});

async function walk(tx: TransactionSql, version: RandomVersion): Promise<void> {
  const scripts = {
    forward: readScript({ file: 'up.sql', text: version.up }),
    back: readScript({ file: 'down.sql', text: version.down }),
  };
  const options = { fireTriggers: false };
  await tx.unsafe(version.base);
  await tryEach(tx, version.rows);
  await tx.unsafe('savepoint rows');
  try {
    await walkForward(tx, '1', scripts.forward, options);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'rows-do-not-fit') throw error;
    // As it was when the version was written: no rows stand in its way.
    await tx.unsafe('rollback to savepoint rows');
    for (const { schema, name, kind } of (await readStructure(tx)).values())
      if (schema === 's' && kind !== 'S') await tx.unsafe(`delete from s."${name}"`);
    await walkForward(tx, '1', scripts.forward, options);
  }
  await tx.unsafe(`set local s.quiet = 'yes'`);
  await tryEach(tx, version.writes);
  await tx.unsafe(`set local s.quiet = ''`);
  await refresh(tx);

  const before = await everything(tx);
  const effects = await measure(tx, version.down);
  try {
    await walkBack(tx, '1', scripts, effects, { allowLoss: false });
  } catch (error) {
    if (error instanceof Problem && mayRefuse(error, version)) return;
    throw error;
  }
  const { putBack } = await walkForward(tx, '1', scripts.forward, options);
  expect(putBack.filter(({ left, newer }) => left + newer > 0)).toEqual([]);
  await tx.unsafe('set constraints all immediate');
  expectSame(await everything(tx), before);
  if (version.meanwhile.length === 0) return;

  await walkBack(tx, '1', scripts, effects, { allowLoss: false });
  await tryEach(tx, version.meanwhile);
  await walkForwardAgain(tx, scripts.forward, before, version);
}

/** In a table without a key rows may be the same but for what is lost, or be written over by the version. */
function mayRefuse({ code, message }: Problem, { base }: RandomVersion): boolean {
  const isKeyless = base
    .split(';\n')
    .some((text) => /^create table s\.old/.test(text) && !/primary key|not null unique/.test(text));
  return (
    isKeyless &&
    (code === 'no-key' ||
      (code === 'would-not-come-back' &&
        // A column that must have a value gets none where the row that had it is not found again.
        /which no key tells apart|would stay behind|must have one: table old\d, column add/.test(message)))
  );
}

/** With what people wrote meanwhile: that stays, and of what was kept nothing is lost. */
async function walkForwardAgain(
  tx: TransactionSql,
  script: ReturnType<typeof readScript>,
  before: Everything,
  { brings }: RandomVersion,
): Promise<void> {
  const mine = await oldRows(tx);
  let returned: Awaited<ReturnType<typeof walkForward>>;
  try {
    returned = await walkForward(tx, '1', script, { fireTriggers: false });
    await tx.unsafe('set constraints all immediate');
  } catch (error) {
    if (!(error instanceof Problem) || !['kept-does-not-fit', 'rows-do-not-fit'].includes(error.code))
      throw error;
    return;
  }
  if (!brings) expect(JSON.stringify(await oldRows(tx))).toBe(JSON.stringify(mine));
  const now = await everything(tx);
  for (const { object, left } of returned.putBack) {
    const name = /^table s\.(.*)$/.exec(object)?.[1]?.replaceAll('"', '');
    const [was, is] = [before.rows[name ?? ''], now.rows[name ?? '']];
    if (!brings && left === 0) expectValues(object, before, now);
    if (!was || !is) continue;
    const missing = was.filter((row) => !is.includes(row));
    if (!brings && missing.length > left)
      throw new Error(`${object} lost ${missing.length} rows, ${left} are in the attic`);
  }
}

/** Values of rows that nobody has touched are back. */
function expectValues(object: string, before: Everything, now: Everything): void {
  const [, table = '', column = ''] = /^column s\.(old\d)\.(.*)$/.exec(object) ?? [];
  const name = column.replaceAll('"', '');
  const rowsIn = ({ rows }: Everything) =>
    new Map(
      (rows[table] ?? []).map((text) => {
        const row = JSON.parse(text) as Record<string, unknown>;
        const old = Object.entries(row).filter(([key]) => /^(k|K 2|c\d|g)$/.test(key));
        return [JSON.stringify(old), JSON.stringify(row[name])];
      }),
    );
  const [was, is] = [rowsIn(before), rowsIn(now)];
  for (const [row, value] of was) {
    if (is.has(row) && is.get(row) !== value)
      throw new Error(`${object} was ${value} and is ${is.get(row)} in ${row}`);
  }
}

/** What the tables of the older version hold, in its columns. */
async function oldRows(tx: TransactionSql): Promise<unknown> {
  const tables = [...(await readStructure(tx)).values()]
    .filter(({ schema, name }) => schema === 's' && /^old\d$/.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const all = [];
  for (const { name, columns } of tables) {
    const list = columns
      .filter((column) => /^(k|K 2|c\d|g)$/.test(column.name))
      .map((column) => `"${column.name}"`);
    all.push([
      name,
      list.length > 0 &&
        (await tx.unsafe(`select row(${list.join(', ')})::text as row from s.${name} order by 1`)).map(
          ({ row }) => row,
        ),
    ]);
  }
  return all;
}

async function refresh(tx: TransactionSql): Promise<void> {
  const views = await tx`select from pg_class where relnamespace = 's'::regnamespace and relkind = 'm'`;
  if (views.length > 0)
    await tx.unsafe('refresh materialized view s.first; refresh materialized view s.second');
}

function described(
  seed: number,
  { base, rows, up, down, writes, meanwhile }: RandomVersion,
  problem: unknown,
): string {
  const { message = String(problem), cause } = problem as Error;
  return [
    `IMAGO_TEST_SEED=${seed} IMAGO_TEST_SEEDS=1`,
    message.slice(0, 2_000),
    cause instanceof Error ? cause.message : '',

    ...(count <= 3
      ? [base, ...rows, '-- up', up, '-- down', down, '-- writes', ...writes, '-- meanwhile', ...meanwhile]
      : []),
  ].join('\n');
}
