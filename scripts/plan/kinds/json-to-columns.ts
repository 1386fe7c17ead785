import { Problem } from '../problem.ts';
import { fitting } from './fits.ts';
import { columnOf, expectFitting, expectNew, type Kind, option, quoted, typeOf } from './kind.ts';
import type { Filled } from './mirror.ts';
import { literal } from './pieces.ts';

/** Fields of a JSON object become columns. */
export const jsonToColumns: Kind = {
  about: 'fields of a JSON object become columns, and are written back into it until finalize',
  needs: ['column', 'fields'],
  async mirror(given) {
    const { plan, source, options, sql } = given;
    const document = columnOf(source, option(options, 'column'), 'column');
    if (!/^jsonb?$/.test(document.type)) {
      throw new Problem(
        'bad-value',
        `--column: ${document.name} has type ${document.type}.`,
        'Name a column of type json or jsonb.',
      );
    }
    const fields = option(options, 'fields')
      .split(',')
      .map((field) => {
        const [name = '', type = 'text'] = field.split(':').map((part) => part.trim());
        return { name, type };
      });
    for (const { name } of fields) {
      if (!name)
        throw new Problem('bad-value', '--fields has an empty name.', 'Write --fields city,zip:integer');
    }
    expectNew(source, '--fields', ...fields.map(({ name }) => name));
    const identifiers = await quoted(
      sql,
      fields.map(({ name }) => name),
    );
    const targets: Filled[] = [];
    for (const [n, { name, type }] of fields.entries()) {
      const known = await typeOf(sql, type);
      const value = `(s.${document.quoted} ->> ${literal(name)})::${known}`;
      targets.push({ name, quoted: identifiers[n] ?? name, type: known, value, safe: value });
    }
    const { fits, unfit, functions, problems } = fitting(
      plan,
      source,
      document,
      targets.map(({ value }) => value),
    );
    // A field that says the same is left as it stands in the document, also where the column cannot have its value.
    const backFrom = (fields: readonly Filled[]) => {
      const written = fields.map(
        ({ name, quoted: column, safe }) =>
          `case when s.${column} is distinct from ${safe} then jsonb_build_object(${literal(name)}, s.${column}) else '{}' end`,
      );
      return `case when s.${document.quoted} is null or json${document.type === 'jsonb' ? 'b' : ''}_typeof(s.${document.quoted}) = 'object'
        then (coalesce(s.${document.quoted}::jsonb, '{}') || ${written.join('\n          || ')})::${document.type} else s.${document.quoted} end`;
    };
    const fitted = targets.map((target) => ({
      ...target,
      safe: `case when ${fits} then ${target.value} end`,
    }));
    const back = backFrom(fitted);
    await expectFitting(given, targets, [
      ...targets.map(({ value }) => ({ flag: '--fields', sql: value })),
      { flag: '--fields', sql: backFrom(targets) },
    ]);
    const made = fields.map(
      ({ name, type }) => `${literal(name)}, ${type === 'text' ? `${literal(`${name} `)} || i` : 'i % 90'}`,
    );
    return {
      plan,
      title: `${source.schema}.${source.table}: fields of ${document.name} become columns`,
      source,
      targets: fitted.map((target) => ({ ...target, isAdded: true })),
      origins: [
        { name: document.name, quoted: document.quoted, type: document.type, value: back, safe: back },
      ],
      unfit,
      functions,
      preflight: [problems],
      samples: {
        [document.name]: `json${document.type === 'jsonb' ? 'b' : ''}_build_object(${made.join(', ')})`,
      },
    };
  },
};
