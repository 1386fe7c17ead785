/** What a plan that widens keys is tried by. */
import { insertion, neededOf, sampleRows, sampleSchema } from '../sample.ts';
import { writer } from './pieces.ts';
import type { Widening } from './widening.ts';
import { differ } from './widening-layout.ts';

/** Rows of the source, and rows that refer to them. */
export function sample({ source, tables }: Widening): string {
  const more = tables.flatMap(({ relation, columns, parents, widened }) => {
    const child = { ...source, relation, columns, parents };
    const referred = widened
      .filter(({ column }) => relation !== source.relation || column.name !== source.key.name)
      .map(({ column }, n) => {
        const table = tables.find(({ oid }) => oid === column.refers?.relation);
        const key = table?.columns.find(({ name }) => name === column.refers?.column)?.quoted;
        return {
          column,
          value: `(select k.${key} from ${table?.relation} k order by k.${key} offset (i + ${n}) % 10 limit 1)`,
        };
      });
    if (relation === source.relation) {
      return referred.map(
        ({
          column,
          value,
        }) => `  update ${relation} s set ${column.quoted} = ${value.replace(' (i + ', ` (s.${source.key.quoted} + `)}
  where s.${column.quoted} is null and s.${source.key.quoted} % 3 = 0`,
      );
    }
    return [
      ...parents
        .filter((parent) => !tables.some(({ oid }) => oid === parent.oid))
        .map((parent) => insertion(parent.relation, neededOf(parent, child), child, {})),
      insertion(
        relation,
        columns.filter(({ generated, numbered }) => !generated && !numbered),
        child,
        Object.fromEntries(referred.map(({ column, value }) => [column.name, value])),
      ),
    ];
  });
  return sampleRows(source, {}, more);
}

export function conformance(widening: Widening): string {
  const { plan, source, tables } = widening;
  const { key, relation } = source;
  // A reference that may be any key: in no unique index.
  const [reference] = tables
    .filter((table) => table.relation !== relation && table.walk)
    .flatMap(({ indexes, widened, ...table }) =>
      widened
        .filter(({ twin }) => !indexes.some(({ isUnique, tail }) => isUnique && tail.includes(twin.quoted)))
        .map((one) => ({ ...table, ...one })),
    );
  const other = `(select k.${key.quoted} from ${relation} k order by k.${key.quoted} offset :n % 7 limit 1)`;
  return `# What imago plan test ${plan} tries, besides what holds for every plan.

# So many rows, made up by rows.sql.
entities = 60

# SQL that lists, as entity, the key of each row whose two sides differ. Rows that have yet to be moved may be listed.
differing = '''
${tables.map((table) => `select s.${table.entity.quoted}::text as entity from ${table.relation} s where ${differ(table.widened, 's')}`).join('\nunion all\n')}
'''

# What is wrong once the plan is finalized.
finalized = '''
select a.attname from pg_attribute a join ${plan}.twins() t on a.attrelid = t.relation::regclass and a.attname = t.former
where a.atttypid <> 'bigint'::regtype
'''

# What the app does while the plan is under way; :n is a number that grows. It must never fail. A side is old, what the
# app had before the plan, or new, what the plan has made.
${[
  writer('new rows', 'old', `select ${sampleSchema}.rows(1000000 + :n, 1000000 + :n)`).trimStart(),
  ...(reference
    ? [
        ['references', 'old', reference.column.quoted] as const,
        ['references, by their twins', 'new', reference.twin.quoted] as const,
      ].map(([name, side, written]) =>
        writer(
          name,
          side,
          `update ${reference.relation} s set ${written} = ${other}
where s.${reference.entity.quoted} = (
  select r.${reference.entity.quoted} from ${reference.relation} r where r.${reference.twin.quoted} is not null
  order by r.${reference.entity.quoted} offset :n % 11 limit 1)`,
        ),
      )
    : []),
].join('')}`;
}
