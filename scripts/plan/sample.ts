/** SQL that makes up rows of a table, in the app as its migrations make it: what a plan is tried on. */
import type { Column, Parent, Source } from './source.ts';

/** The schema of what makes rows: it is there in scratch databases alone, and none of the app's. */
export const sampleSchema = 'imago_sample';

/** What the app's own triggers on a table of Supabase usually read. */
const platform: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'auth.users': {
    email: "'user' || i || '@example.com'",
    raw_user_meta_data: "jsonb_build_object('full_name', 'User ' || i)",
  },
};

/**
 * The function imago_sample.rows(first, last), which adds rows to the table and to those that it must refer to. given is SQL
 * of values by number i, for columns of the table that are not to be made up by their type; more, statements after these.
 */
export function sampleRows(
  source: Source,
  given: Readonly<Record<string, string>> = platform[source.relation] ?? {},
  more: readonly string[] = [],
): string {
  const tables = [
    ...source.parents.map((parent) => ({ relation: parent.relation, columns: neededOf(parent, source) })),
    {
      relation: source.relation,
      columns: source.columns.filter((column) =>
        source.foreign
          ? source.keys.some(({ name }) => name === column.name) || column.name in given || isNeeded(column)
          : !column.generated && !column.numbered,
      ),
    },
  ];
  const statements = tables.map(
    ({ relation, columns }) =>
      `${insertion(relation, columns, source, relation === source.relation ? given : {})};`,
  );
  return `-- Made-up rows of ${source.relation}: imago plan check and test call this for what they try the plan on. Change it so that there
-- are rows of each kind that the plan has to do with.
create function ${sampleSchema}.rows(first integer, last integer)
returns void
language sql
as $$
${[...statements, ...more.map((statement) => `${statement};`)].join('\n')}
$$;
`;
}

/** Columns that must not be null and whose type the sample has no value for: a person has to fill them in. */
export function unfilled(source: Source): string[] {
  const missing = (columns: readonly Column[]) =>
    columns.filter((column) => isNeeded(column) && valueFor(column, source) === undefined);
  return [
    ...source.parents.flatMap((parent) =>
      missing(neededOf(parent, source)).map(({ name }) => `${parent.relation}.${name}`),
    ),
    ...missing(source.columns).map(({ name }) => name),
  ];
}

function isNeeded({ notNull, generated, numbered, default: preset }: Column): boolean {
  return notNull && !generated && !numbered && preset === null;
}

/** Of a parent: what must not be null, and what is referred to. */
export function neededOf(parent: Parent, source: Source): Column[] {
  const all = [...source.columns, ...source.parents.flatMap(({ columns }) => columns)];
  const referred = new Set(
    all.flatMap(({ refers }) => (refers?.relation === parent.oid ? [refers.column] : [])),
  );
  return parent.columns.filter((column) => isNeeded(column) || referred.has(column.name));
}

/** SQL that inserts a row for each number i of a range. */
export function insertion(
  relation: string,
  columns: readonly Column[],
  source: Source,
  given: Readonly<Record<string, string>>,
  range = 'first, last',
): string {
  const filled = columns.flatMap((column) => {
    const value = given[column.name] ?? valueFor(column, source);
    if (value === undefined) return [];
    return { name: column.quoted, value: column.notNull ? value : `case when i % 7 > 0 then ${value} end` };
  });
  if (filled.length === 0) return `  insert into ${relation} select from generate_series(${range})`;
  const overriding = columns.some(({ numbered }) => numbered) ? ' overriding system value' : '';
  // A trigger of the app may have made the row already.
  return `  insert into ${relation} (${filled.map(({ name }) => name).join(', ')})${overriding}
  select
    ${filled.map(({ value }) => value).join(',\n    ')}
  from generate_series(${range}) i
  on conflict do nothing`;
}

/** The value of a column: of one that refers to a parent that which the parent has, of one that refers to others none. */
export function valueFor(column: Column, source: Source): string | undefined {
  const { refers } = column;
  if (refers === null) return madeUp(column);
  const parent = source.parents.find(({ oid }) => oid === refers.relation);
  const referred = parent?.columns.find(({ name }) => name === refers.column);
  return referred && valueFor(referred, source);
}

/** A value by the number i of the row, another for each i where the type has room for it. */
function madeUp({ name, type, labels, known }: Column): string | undefined {
  if (labels) return `(array[${labels.map(literal).join(', ')}]::${type}[])[1 + i % ${labels.length}]`;
  if (type.endsWith('.citext')) return `(${literal(`${name} `)} || i)::${type}`;
  if (!known) return undefined;
  if (type.endsWith('[]')) return `'{}'::${type}`;
  const [, base = type, size] = /^([a-z ]+?)(?:\((\d+)[^)]*\))?( with(?:out)? time zone)?$/.exec(type) ?? [];
  switch (base) {
    case 'uuid':
      return `md5(${literal(`${name} `)} || i)::uuid`;
    case 'text':
    case 'character varying':
    case 'character':
      return Number(size ?? 99) < name.length + 8
        ? `left(md5(i::text), ${size})`
        : `${literal(`${name} `)} || i`;
    case 'smallint':
      return 'i % 30000';
    case 'integer':
    case 'bigint':
    case 'real':
    case 'double precision':
      return 'i';
    case 'numeric':
      return 'i % 10';
    case 'boolean':
      return 'i % 2 = 0';
    case 'date':
      return "date '2024-01-01' + i % 1000";
    case 'timestamp':
    case 'timestamp without time zone':
    case 'timestamp with time zone':
      return "timestamp '2024-01-01' + i * interval '1 minute'";
    case 'time':
    case 'time without time zone':
      return "time '00:00' + i * interval '1 minute'";
    case 'interval':
      return "i * interval '1 minute'";
    case 'json':
    case 'jsonb':
      return `${type === 'json' ? 'json' : 'jsonb'}_build_object('n', i)`;
    case 'bytea':
      return "decode(md5(i::text), 'hex')";
    case 'inet':
      return "inet '10.0.0.0' + i";
    default:
      return undefined;
  }
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
