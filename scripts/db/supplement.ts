/** Statements of our own between two catalogs: for what `supabase db diff` does not see, or would do by making a table anew. */
import type { Sql } from 'postgres';
import type { Catalog } from './catalog.ts';

/** What makes one thing so; all of it is run, or nothing. */
type Step = string[];

/** What is still to be done where the first catalog is to become the second, as far as it can be written. */
export function supplement(from: Catalog, to: Catalog): string[] {
  return stepsBetween(from, to, () => true).flat();
}

/** What comes before all else, where it can: others may stand on it, or tables would be made anew. */
export function firstSteps(from: Catalog, to: Catalog): Step[] {
  return stepsBetween(from, to, (aspect) => isWhole(aspect) || aspect.startsWith('inherits '));
}

/** Takes these steps, and gives the statements of those that can be taken yet. The others stand on what comes later. */
export async function takeSteps(sql: Sql, steps: readonly Step[]): Promise<string[]> {
  const taken: string[] = [];
  for (const step of steps) {
    const isTaken = await sql
      .begin((tx) => tx.unsafe(step.join(';\n')))
      .then(
        () => true,
        () => false,
      );
    if (isTaken) taken.push(...step);
  }
  return taken;
}

/** What goes is first, in the order of names, what comes in the other: configurations stand on dictionaries. */
function stepsBetween(from: Catalog, to: Catalog, isWanted: (aspect: string) => boolean): Step[] {
  const gone = [...from].sort().flatMap(([name, { aspects }]) => {
    const after = to.get(name)?.aspects;
    return [...aspects].flatMap(([aspect, { value, take }]): Step[] => {
      // All that is said of an object goes with it.
      if (take === null || !isWanted(aspect) || (!after && aspect !== 'definition')) return [];
      const now = after?.get(aspect);
      return now === undefined || (isWhole(aspect) && now.value !== value) ? [[take]] : [];
    });
  });
  const made = [...to]
    .sort()
    .toReversed()
    .flatMap(([name, { aspects }]) => {
      const before = from.get(name)?.aspects;
      const isNew = (aspect: string) => aspects.get(aspect)?.value !== before?.get(aspect)?.value;
      const put = (aspect: string) => [aspects.get(aspect)?.put ?? []].flat();
      const [whole] = put('definition');
      const others = [...aspects.keys()].filter((aspect) => aspect !== 'definition');
      if (whole && isNew('definition'))
        return isWanted('definition') ? [[whole, ...others.flatMap(put)]] : [];
      return before
        ? others
            .filter((aspect) => isNew(aspect) && isWanted(aspect))
            .flatMap(put)
            .map((step) => [step])
        : [];
    });
  return [...gone, ...made];
}

/** Whether it has to be taken away before it can be another one. */
function isWhole(aspect: string): boolean {
  return aspect === 'definition' || aspect.startsWith('partition of ');
}
