/** Values that can fail to become another type: a function of the plan says which, so that no view fails because of them. */
import type { Column, Source } from '../source.ts';
import { walkOf } from '../walk.ts';
import { literal, routine } from './pieces.ts';

/** What follows from a column that holds values which may not fit. */
export interface Fitting {
  /** SQL: whether the value of a row s fits. */
  fits: string;
  /** SQL: whether a row s holds one that does not. */
  unfit: string;
  functions: Record<string, string>;
  /** For preflight(): how many there are, and the first keys. */
  problems: string;
}

/**
 * `attempts` is the SQL that may fail, of a row s that has this column; `known` a condition that says beforehand where it
 * would, for types that are not there yet.
 */
export function fitting(
  plan: string,
  source: Source,
  column: Column,
  attempts: readonly string[],
  known?: string,
): Fitting {
  // Types of the app may not be there when the plan is pushed.
  const isApps = column.labels !== null || !column.known;
  const fits = known ?? `${plan}.fits(s.${column.quoted}${isApps ? '::text' : ''})`;
  const unfit = `s.${column.quoted} is not null and not ${fits}`;
  const place = `${source.relation}.${column.quoted}`;
  const walk = walkOf(plan, source);
  return {
    fits,
    unfit,
    functions: {
      ...(known === undefined && {
        fits: routine(
          `${plan}.fits(value ${isApps ? 'text' : column.type})`,
          'boolean',
          `Whether the new side can have what ${place} holds. Asked where an error would stop a view.`,
          `declare
  s record;
begin
  select value as ${column.quoted} into s;
${attempts.map((attempt) => `  perform ${attempt};`).join('\n')}
  return true;
exception when data_exception or integrity_constraint_violation then
  return false;
end`,
          'plpgsql',
          'stable',
        ),
      }),
      unfit_rows: routine(
        `${plan}.unfit_rows()`,
        'text[]',
        'Keys of rows with values that the new side cannot have, a thousand at most. Null where the table is not there, or too large to be read as a whole.',
        `declare
  keys text[];
begin
  if pg_catalog.to_regclass(${literal(source.relation)}) is not null and not imago.is_large(${literal(source.relation)})
    and not exists (select from imago.column_problems(${literal(source.relation)}, ${literal(column.name)}, array[${literal(column.type)}]) c where c.kind = 'missing_column') then
    keys := array(select ${walk.text('s')} from ${source.relation} s where ${unfit} order by ${walk.list('s')} limit 1000);
  end if;
  return keys;
end`,
        'plpgsql',
        'stable',
      ),
    },
    problems: `  select 'error', 'unfit_value', ${literal(place)},
    format('%s rows hold values that the new side cannot have%s', cardinality(u.keys), imago.sample_keys_text(u.keys[1:3], cardinality(u.keys))),
    'Change these values; validate lists all of them.'
  from (select ${plan}.unfit_rows() as keys) u
  where cardinality(u.keys) > 0`,
  };
}
