import { Problem } from '../problem.ts';
import {
  assignment,
  columnOf,
  expectFitting,
  expectNew,
  type Given,
  type Kind,
  option,
  quoted,
  typeOf,
} from './kind.ts';
import type { Filled, Mirror } from './mirror.ts';

/** One column becomes several. */
export const splitColumn: Kind = {
  about: 'one column becomes several, and is written back from them until finalize',
  needs: ['column', 'into', 'back'],
  async mirror(given) {
    const { options, source } = given;
    const { name } = columnOf(source, option(options, 'column'), 'column');
    const back = options.back ?? [];
    if (back.length !== 1 || !back[0]) {
      throw new Problem(
        'bad-value',
        '--back: one expression makes the column from the new ones.',
        'Write --back "concat_ws(\' \', s.first, s.last)".',
      );
    }
    return await regroup(given, `${name} becomes several columns`, [`${name}=${back[0]}`]);
  },
};

/** Several columns become one. */
export const mergeColumns: Kind = {
  about: 'several columns become one, and are written back from it until finalize',
  needs: ['into', 'back'],
  async mirror(given) {
    const { options } = given;
    if (options.into?.length !== 1) {
      throw new Problem(
        'bad-value',
        '--into: one column is made from the others.',
        'Write --into "name=concat_ws(\' \', s.first, s.last)".',
      );
    }
    return await regroup(given, 'several columns become one', options.back ?? []);
  },
};

async function regroup(given: Given, title: string, back: readonly string[]): Promise<Mirror> {
  const { plan, source, options, sql } = given;
  const into = (options.into ?? []).map((typed) => assignment('into', typed));
  expectNew(source, '--into', ...into.map(({ name }) => name));
  const identifiers = await quoted(
    sql,
    into.map(({ name }) => name),
  );
  const targets: Filled[] = [];
  for (const [n, { name, type = 'text', value }] of into.entries()) {
    const known = await typeOf(sql, type);
    const cast = `(${value})::${known}`;
    targets.push({ name, quoted: identifiers[n] ?? name, type: known, value: cast, safe: cast });
  }
  const origins: Filled[] = back.map((typed) => {
    const { name, value } = assignment('back', typed);
    const column = columnOf(source, name, 'back');
    const cast = `(${value})::${column.type}`;
    return { name, quoted: column.quoted, type: column.type, value: cast, safe: cast };
  });
  await expectFitting(given, targets, [
    ...targets.map(({ value }) => ({ flag: '--into', sql: value })),
    ...origins.map(({ value }) => ({ flag: '--back', sql: value })),
  ]);
  return {
    plan,
    title: `${source.schema}.${source.table}: ${title}`,
    source,
    targets: targets.map((target) => ({ ...target, isAdded: true })),
    origins,
  };
}
