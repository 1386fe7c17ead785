/** What apply does, batch for batch: whether its cost follows the batch alone, and whether doing it twice is doing it once. */
import type { ISql, Sql } from 'postgres';
import { takenBack } from './act.ts';
import { error, type Finding, reason } from './finding.ts';
import { difference, rowCounts } from './tables.ts';

/** Entities a batch: few, so that reading a whole table stands out. */
const BATCH = 10;

/** So many batches from the beginning are compared with as many from the end: some entities have more to them than others. */
const COMPARED = 5;

/** Rows by table. */
type Rows = Record<string, number>;

/** What is walked, as SQL writes it; most plans have one stage. */
interface Stage {
  apply: string;
  pending: string;
  keyType: string;
}

/** One call of apply. */
interface Batch {
  keys: string[];
  read: Rows;
  written: Rows;
}

/** Applies a prepared plan to everything in small batches, in a transaction that is taken back, and looks what each does. */
export async function applyFindings(sql: Sql, plan: string): Promise<Finding[]> {
  return await takenBack(sql, (tx) => applyAll(tx, plan)).catch((raised) => [
    error(
      'apply',
      `apply fails (${reason(raised)})`,
      'An entity for which it fails is set aside; here, it should not fail.',
    ),
  ]);
}

async function applyAll(sql: ISql, plan: string): Promise<Finding[]> {
  // As the engine does it.
  await sql`select set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)`;
  const stages = await sql<Stage[]>`
    select imago.plan_object(s, 'apply') as apply, imago.plan_object(s, 'pending') as pending, s.key_type as "keyType"
    from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = ${plan}`;
  const findings: Finding[] = [];
  let moved = 0;
  for (const stage of stages) {
    const batches = await applyStage(sql, stage);
    const [first] = batches;
    if (!first) continue;
    moved += batches.length;
    const again = await applyBatch(sql, stage, first.keys);
    findings.push(...(await stillPending(sql, stage)), ...repeated(again), ...(await cost(sql, batches)));
  }
  if (moved > 0) return findings;
  return [
    error(
      'apply',
      'nothing is pending in the sample app',
      'Make rows in it that the plan has to move: without them nothing of the plan can be tried.',
    ),
  ];
}

/** Applies a stage to all that it has pending. */
async function applyStage(sql: ISql, stage: Stage): Promise<Batch[]> {
  const rows = await sql.unsafe<{ entity: string }[]>(
    `select entity::text from ${stage.pending} order by entity`,
  );
  const keys = rows.map(({ entity }) => entity);
  const batches: Batch[] = [];
  for (let at = 0; at < keys.length; at += BATCH) {
    batches.push(await applyBatch(sql, stage, keys.slice(at, at + BATCH)));
  }
  return batches;
}

async function applyBatch(sql: ISql, { apply, keyType }: Stage, keys: string[]): Promise<Batch> {
  const before = await rowCounts(sql);
  await sql.unsafe(`select ${apply}($1::text[]::${keyType}[])`, [keys]);
  const after = await rowCounts(sql);
  return {
    keys,
    read: difference(after.read, before.read),
    written: difference(after.written, before.written),
  };
}

async function stillPending(sql: ISql, { pending }: Stage): Promise<Finding[]> {
  const [row] = await sql.unsafe<{ count: number }[]>(`select count(*)::int as count from ${pending}`);
  const left = row?.count ?? 0;
  if (left === 0) return [];
  return [
    error(
      'apply',
      `${left} entities are still pending after apply`,
      `Let apply move all that ${pending} lists, or pending list only what apply can move. Often a value is null.`,
    ),
  ];
}

function repeated({ written }: Batch): Finding[] {
  if (Object.keys(written).length === 0) return [];
  return [
    error(
      'idempotence',
      `apply is not idempotent: for ${BATCH} entities that are moved already it writes ${text(written)}`,
      'Write only what has yet to be moved: say so in the where clause, or on conflict do nothing.',
    ),
  ];
}

/** Compares what the first batches read with what the last read, and what one reads with what there is. */
async function cost(sql: ISql, batches: Batch[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  const compared = Math.min(COMPARED, Math.floor(batches.length / 2));
  const early = sum(batches.slice(0, compared));
  const late = sum(batches.slice(batches.length - compared));
  for (const [table, read] of Object.entries(late)) {
    const perBatch = Math.round(read / Math.max(1, compared));
    const before = Math.round((early[table] ?? 0) / Math.max(1, compared));
    if (perBatch > 2 * before + 5 * BATCH) {
      findings.push(
        error(
          'cost',
          `the cost of apply grows with what is migrated: a batch of ${BATCH} reads ${before} rows of ${table} in the beginning and ${perBatch} in the end`,
          'Join to what the batch has just written (with … returning), not to the table; or search it by an indexed column.',
        ),
      );
    } else if (perBatch >= (await size(sql, table)) && perBatch > 5 * BATCH) {
      findings.push(
        error(
          'cost',
          `a batch of ${BATCH} reads all ${perBatch} rows of ${table}`,
          'Bound each statement of apply by keys, and have an index on the column that it searches.',
        ),
      );
    }
  }
  return findings;
}

async function size(sql: ISql, table: string): Promise<number> {
  const [row] = await sql.unsafe<{ count: number }[]>(`select count(*)::int as count from ${table}`);
  return row?.count ?? 0;
}

function sum(batches: Batch[]): Rows {
  const total: Rows = {};
  for (const { read } of batches) {
    for (const [table, rows] of Object.entries(read)) total[table] = (total[table] ?? 0) + rows;
  }
  return total;
}

function text(rows: Rows): string {
  return Object.entries(rows)
    .map(([table, count]) => `${count} rows of ${table}`)
    .join(', ');
}
