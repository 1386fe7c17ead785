import { columnOf, expectFitting, type Kind, option } from './kind.ts';
import { requirement } from './succession.ts';

/** A column gets a value where it has none, and is not null at the end. */
export const notNull: Kind = {
  about: 'a column gets a value where it has none, and finalize makes it not null',
  needs: ['column', 'value'],
  async mirror(given) {
    const { plan, source, options } = given;
    const { name, quoted, type } = columnOf(source, option(options, 'column'), 'column');
    const value = `(${option(options, 'value')})::${type}`;
    await expectFitting(given, [], [{ flag: '--value', sql: value }]);
    return {
      plan,
      title: `${source.schema}.${source.table}.${name} is not null`,
      source,
      targets: [{ name, quoted, type, value, safe: value, isAdded: false }],
      origins: [],
      // A write of null gets the value until the end; after that it is refused.
      ...requirement(plan, source.relation, quoted),
    };
  },
};
