/** Down a version and up again within one transaction, and everything that there is before and after. */
import type { TransactionSql } from 'postgres';
import { catalogIn } from '../../scripts/db/catalog.ts';
import { readScript } from '../../scripts/db/running.ts';
import { compareStructures, type Effect, readStructure } from '../../scripts/db/structure.ts';
import { walkBack, walkForward } from '../../scripts/db/walking.ts';

/** Rows of tables and materialized views, definitions of objects and positions of sequences of the schema `s`. */
export interface Everything {
  rows: Record<string, string[]>;
  catalog: Record<string, string>;
  sequences: Record<string, string>;
}

export async function everything(tx: TransactionSql): Promise<Everything> {
  const found = await tx<{ name: string; kind: string }[]>`
    select relname as name, relkind as kind from pg_class
    where relnamespace = 's'::regnamespace and (relkind in ('r', 'S') or relkind = 'm' and relispopulated)`;
  const [rows, sequences]: [Everything['rows'], Everything['sequences']] = [{}, {}];
  for (const { name, kind } of found) {
    // Of a sequence that stays, a version that is applied again takes again.
    if (name === 'source') continue;
    if (kind === 'S') {
      const [row] = await tx.unsafe(`select last_value || ' ' || is_called as at from s."${name}"`);
      sequences[name] = row?.at;
    } else {
      const all = await tx.unsafe<{ row: string }[]>(
        `select to_jsonb(t)::text as row from ${kind === 'm' ? '' : 'only '}s."${name}" t order by 1`,
      );
      rows[name] = all.map(({ row }) => row);
    }
  }
  const catalog = Object.fromEntries(
    [...(await catalogIn(tx))].map(([name, { aspects }]) => [
      name,
      JSON.stringify([...aspects].map(([aspect, { value }]) => [aspect, value]).sort()),
    ]),
  );
  await tx.unsafe('set local search_path to default');
  return { rows, catalog, sequences };
}

/** Says in what two states differ. */
export function expectSame(is: Everything, should: Everything): void {
  for (const part of ['rows', 'sequences', 'catalog'] as const) {
    for (const name of new Set([...Object.keys(is[part]), ...Object.keys(should[part])])) {
      const [now, was] = [is[part][name], should[part][name]].map((value) => JSON.stringify(value));
      if (now !== was) throw new Error(`${part} of ${name}\nwere ${was}\nare  ${now}`);
    }
  }
}

/** What the way back does to what is there, given up again. */
export async function measure(tx: TransactionSql, down: string): Promise<Effect[]> {
  await tx.unsafe('savepoint measure');
  const before = await readStructure(tx);
  await tx.unsafe(down);
  const effects = compareStructures(before, await readStructure(tx));
  await tx.unsafe('rollback to savepoint measure');
  return effects;
}

/** What the rows do not allow is let be. */
export async function tryEach(tx: TransactionSql, statements: readonly string[]): Promise<void> {
  if (statements.length === 0) return;
  const tries = statements.map(
    (statement) => `begin ${statement}; set constraints all immediate; exception when others then null; end;`,
  );
  await tx.unsafe(`do $try$ begin ${tries.join('\n')} end $try$`);
}

/** Versions by hand: what was there before them, with rows; each with its way back; what people write at the last. */
export interface ByHand {
  base: string;
  versions: { up: string; down: string }[];
  writes: string;
}

/** Applies them, lets people write, takes all back and applies all again: everything is as it was. */
export async function expectWhole(tx: TransactionSql, { base, versions, writes }: ByHand): Promise<void> {
  const steps = versions.map(({ up, down }, index) => ({
    name: String(index + 1),
    down,
    forward: readScript({ file: `up_${index + 1}.sql`, text: up }),
    back: readScript({ file: `down_${index + 1}.sql`, text: down }),
  }));
  await tx.unsafe(`create schema s; ${base}`);
  for (const { name, forward } of steps) await walkForward(tx, name, forward, { fireTriggers: false });
  await tx.unsafe(`${writes} set constraints all immediate;`);
  const before = await everything(tx);
  for (const step of [...steps].reverse())
    await walkBack(tx, step.name, step, await measure(tx, step.down), { allowLoss: false });
  for (const { name, forward } of steps) await walkForward(tx, name, forward, { fireTriggers: false });
  expectSame(await everything(tx), before);
}
