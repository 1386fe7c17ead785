import type { Column, Source } from '../source.ts';
import { fitting } from './fits.ts';
import { columnOf, expectFitting, expectNew, type Given, type Kind, option, quoted, typeOf } from './kind.ts';
import type { Mirror } from './mirror.ts';
import { dependents, handover } from './succession.ts';

/** A column gets another type: beside it grows one of that type, which takes its name at finalize. */
export const typeChange: Kind = {
  about: 'a column gets another type; values that do not fit are listed before anything is moved',
  needs: ['column', 'type'],
  may: ['value', 'back'],
  async mirror(given) {
    const former = columnOf(given.source, option(given.options, 'column'), 'column');
    return await change(given, former, await typeOf(given.sql, option(given.options, 'type')), {
      value: given.options.value,
      back: given.options.back?.[0],
    });
  },
};

/** The plan that changes a column's type. value and back are SQL; casts where they are not given. */
export async function change(
  given: Given,
  former: Column,
  type: string,
  {
    value,
    back,
    known,
  }: { value?: string | undefined; back?: string | undefined; known?: string | undefined } = {},
): Promise<Mirror> {
  const { plan, source, sql } = given;
  const [name, kept] = [freeName(source, `${former.name}_new`), freeName(source, `${former.name}_before`)];
  const [identifier = name, aside = kept] = await quoted(sql, [name, kept]);
  const ahead = `(${value ?? `s.${former.quoted}`})::${type}`;
  const behind = `(${back?.replace(/^[^=]*=(?!=)/, '') ?? `s.${identifier}`})::${former.type}`;
  // A type that is not there yet cannot be tried.
  if (known === undefined) {
    await expectFitting(
      given,
      [{ quoted: identifier, type }],
      [
        { flag: value === undefined ? '--type' : '--value', sql: ahead },
        { flag: back === undefined ? '--type' : '--back', sql: behind },
      ],
    );
  }
  const { fits, unfit, functions, problems } = fitting(plan, source, former, [ahead], known);
  const succession = {
    plan,
    source,
    former,
    heir: { name, quoted: identifier, type },
    aside: { name: kept, quoted: aside },
    convert: value && ahead,
  };
  const end = handover(succession);
  return {
    plan,
    title: `${source.schema}.${source.table}.${former.name} becomes ${type}`,
    source,
    targets: [
      {
        name,
        quoted: identifier,
        type,
        value: ahead,
        safe: `case when ${fits} then ${ahead} end`,
        isAdded: true,
      },
    ],
    origins: [{ name: former.name, quoted: former.quoted, type: former.type, value: behind, safe: behind }],
    unfit,
    functions: { ...functions, ...end.functions },
    steps: end.steps,
    preflight: [dependents(succession), problems],
    ...(type !== 'text' && { samples: { [former.name]: `(i % 90)::text::${former.type}` } }),
  };
}

function freeName(source: Source, name: string): string {
  expectNew(source, '--column', name);
  return name;
}
