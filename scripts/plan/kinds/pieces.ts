/** What all ready-made plans are put together from. */
import { plansFolder } from '../project.ts';
import type { Files } from '../template.ts';

/** The texts of a plan. */
export interface Texts {
  schema: string;
  /** By name. */
  functions: Readonly<Record<string, string>>;
  registration: string;
  /** What it is tried by. */
  rows: string;
  conformance: string;
}

/** The files of a plan in the project. */
export function planFolder(
  plan: string,
  { schema, functions, registration, rows, conformance }: Texts,
): Files {
  const folder = `${plansFolder}/${plan}`;
  return {
    [`${folder}/schema.sql`]: schema,
    ...Object.fromEntries(
      Object.entries(functions)
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([name, text]) => [`${folder}/functions/${name}.sql`, text]),
    ),
    [`${folder}/registration.sql`]: registration,
    [`${folder}/test/rows.sql`]: rows,
    [`${folder}/test/conformance.toml`]: conformance,
  };
}

/** A row of imago.plan_step. */
export interface Step {
  name: string;
  phase: 'prepare' | 'finalize' | 'cleanup';
  routine: string;
  /** The way back stays open after it. */
  isReversible?: boolean;
  statement?: string;
  onlyAfter?: 'finalize' | 'rollback';
}

export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A function of a plan, with what it is for. */
export function routine(
  signature: string,
  returns: string,
  comment: string,
  body: string,
  language: 'sql' | 'plpgsql' = 'sql',
  volatility: 'volatile' | 'stable' | 'immutable' = 'volatile',
): string {
  const name = signature.replaceAll(/(\w+) ([^,()]+)(?=[,)])/g, '$2');
  return `create or replace function ${signature}
returns ${returns}
language ${language}
${volatility}
set search_path = ''
as $$
${body}
$$;
comment on function ${name} is ${literal(comment)};
`;
}

/** The function preflight() of a plan, from queries of imago.problem. */
export function preflight(plan: string, parts: readonly string[]): string {
  return routine(
    `${plan}.preflight()`,
    'setof imago.problem',
    'What speaks against starting the plan on this app.',
    parts.join('\n  union all\n'),
    'sql',
    'stable',
  );
}

/** SQL of the problem that a column is not there; its type may be another meanwhile. */
export const missingColumn = (relation: string, { name, type }: { name: string; type: string }): string =>
  `select * from imago.column_problems(${literal(relation)}, ${literal(name)}, array[${literal(type)}]) c where c.kind = 'missing_column'`;

/** Registers steps; they come after those that prepare. */
export function stepRows(plan: string, steps: readonly Step[], first = 20): string {
  if (steps.length === 0) return '';
  const rows = steps.map(({ name, phase, routine: called, isReversible, statement, onlyAfter }, n) => {
    const values = [
      literal(plan),
      first + n,
      literal(name),
      literal(phase),
      literal(called),
      isReversible === true,
      statement !== undefined,
      statement === undefined ? 'null' : literal(statement),
      onlyAfter === undefined ? 'null' : literal(onlyAfter),
    ];
    return `  (${values.join(', ')})`;
  });
  return `
insert into imago.plan_step (plan, position, name, phase, routine, reversible, direct, statement, only_after) values
${rows.join(',\n')};
`;
}

/** What the app does while the plan is tried, for conformance.toml. */
export const writer = (name: string, side: 'old' | 'new', sql: string, more = ''): string => `
[[writers]]
name = '${name}'
side = '${side}'
${more}sql = '''
${sql}
'''
`;

/** The queries of a plan's checks, by check: none once the way back is closed, after which columns take the places of others. */
export function checkQuery(plan: string, queries: Readonly<Record<string, string>>): string {
  const cases = Object.entries(queries).map(
    ([check, query]) => `    when '${check}' then\n      ${literal(query)}\n`,
  );
  return routine(
    `${plan}.check_query(name text)`,
    'text',
    'What a check looks for; nothing once the way back is closed.',
    `  select case check_query.name
${cases.join('')}  end
  from imago.plan p where p.name = '${plan}' and p.closed_at is null`,
    'sql',
    'stable',
  );
}
