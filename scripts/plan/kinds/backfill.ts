import { expectFitting, type Kind, option, quoted, typeOf } from './kind.ts';

/** A column, of the table or added to it, gets a value where it has none. */
export const backfill: Kind = {
  about: 'a column gets a value where it has none: an expression, or a look-up',
  needs: ['column', 'value'],
  may: ['type'],
  async mirror(given) {
    const { plan, source, options, sql } = given;
    const name = option(options, 'column');
    const there = source.columns.find((column) => column.name === name);
    const [identifier = name] = await quoted(sql, [name]);
    const type = there?.type ?? (await typeOf(sql, options.type ?? 'text'));
    const value = `(${option(options, 'value')})::${type}`;
    await expectFitting(given, [], [{ flag: '--value', sql: value }]);
    return {
      plan,
      title: `${name} for all rows of ${source.schema}.${source.table}`,
      source,
      targets: [{ name, quoted: identifier, type, value, safe: value, isAdded: there === undefined }],
      origins: [],
    };
  },
};
