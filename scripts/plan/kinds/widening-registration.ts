/** The registration of a plan that widens keys: stages, steps, writes, checks, and syncs both ways. */
import { literal, type Step, stepRows } from './pieces.ts';
import type { Widened, WidenedTable, Widening } from './widening.ts';
import { differ, isOwn, keyOf, layoutOf, narrowed, suffix } from './widening-layout.ts';

/** All tables, each with the stage whose entities its rows belong to. */
function stagedOf(widening: Widening): { table: WidenedTable; stage: number }[] {
  const { walked, riding } = layoutOf(widening);
  return [...walked, ...riding.map((table) => ({ table, stage: 1 }))];
}

const checkName = (n: number): string => `sides_differ${suffix(n + 1)}`;

/** The queries of the checks, by check. */
export function checkQueries(widening: Widening): Record<string, string> {
  return Object.fromEntries(
    stagedOf(widening).map(({ table }, n) => {
      const { relation, entity, widened } = table;
      const key = keyOf(table)[0] ?? entity;
      const query = `select s.${key.quoted} as key, s.${entity.quoted} as entity from ${relation} s where ${differ(widened, 's')}`;
      return [checkName(n), query];
    }),
  );
}

export function registration(widening: Widening, finish: readonly Step[]): string {
  const { plan, tables } = widening;
  const { walked, riding } = layoutOf(widening);
  const staged = stagedOf(widening);
  const further = walked.filter(({ stage }) => stage > 1);
  const list = (names: readonly string[]) => `array[${names.map(literal).join(', ')}]`;
  const syncs = staged.flatMap(({ table, stage }) => syncsOf(plan, table, stage, riding.includes(table)));
  const checks = staged.map(({ table, stage }, n) => {
    const { relation, entity } = table;
    const key = keyOf(table)[0] ?? entity;
    return `  ('${plan}', ${stage}, ${n + 1}, '${checkName(n)}', 'error', 'after', ${literal(relation)}, ${literal(key.name)},
   'apply${suffix(stage)}', null,
   ${literal(`A row of ${relation} has another key in a twin: it came later, failed, or is held.`)},
   'Call migrate_batch, or retry_failed_migrations for what has failed.')`;
  });
  return `${
    further.length > 0
      ? `insert into imago.plan_stage (plan, number, source_schema, source_table, key_column) values
${further.map(({ table, stage }) => `  ('${plan}', ${stage}, ${literal(table.schema)}, ${literal(table.table)}, ${literal(table.entity.name)})`).join(',\n')};

`
      : ''
  }insert into imago.plan_step (plan, position, name, routine) values
${tables.map(({ relation }, n) => `  ('${plan}', ${n + 1}, ${literal(`columns of ${relation}`)}, 'columns_${n + 1}')`).join(',\n')},
  ('${plan}', ${tables.length + 1}, 'views', 'prepare');
${stepRows(plan, finish, tables.length + 2)}
insert into imago.plan_write (plan, position, stage, relation, entity_column, columns) values
${staged.map(({ table: { relation, entity, widened }, stage }, n) => `  ('${plan}', ${n + 1}, ${stage}, ${literal(relation)}, ${literal(entity.name)}, ${list(widened.map(({ twin }) => twin.name))})`).join(',\n')};

insert into imago.plan_sync (plan, position, stage, name, relation, events, columns, entity_column, direction, creates, strict, statement) values
${syncs.map((values, n) => `  ('${plan}', ${n + 1}, ${values})`).join(',\n')};

insert into imago.plan_check (plan, stage, position, name, severity, phase, source, key_column, fix, routine, meaning, remedy) values
${checks.join(',\n')},
  ('${plan}', 1, ${checks.length + 1}, 'dependents', 'error', 'after', null, null, null, '${plan}.check_dependents',
   'Something stands on a column whose place its twin takes, and would not come along.',
   'Do what each finding says.');

select imago.revoke_plan_functions('${plan}');
`;
}

function syncsOf(plan: string, table: WidenedTable, stage: number, rides: boolean): string[] {
  const { relation, entity, widened } = table;
  const list = (names: readonly string[]) => `array[${names.map(literal).join(', ')}]`;
  const same = keyOf(table)
    .map(({ quoted }) => `s.${quoted} = n.${quoted}`)
    .join(' and ');
  const empty = widened.map(
    ({ column, twin }) => `s.${twin.quoted} is null and s.${column.quoted} is not null`,
  );
  const given = widened.map((one) => {
    const apart = `n.${one.twin.quoted} is not null and n.${one.twin.quoted} is distinct from n.${one.column.quoted}`;
    return one.isAlways ? `${apart} and ${plan}.refuse_twin()` : apart;
  });
  // Who is not moved yet is moved by the run, with all that goes along.
  const moved = rides ? ` and ${plan}.is_moved(s.${entity.quoted})` : '';
  const row = (
    name: string,
    events: string,
    columns: readonly string[] | undefined,
    direction: string,
    statement: string,
  ) =>
    [
      stage,
      literal(`${relation}: ${name}`),
      literal(relation),
      literal(`{${events}}`),
      columns ? list(columns) : 'null',
      literal(entity.name),
      literal(direction),
      direction === 'forward' && !rides,
      direction === 'back',
      `\n   ${literal(statement)}`,
    ].join(', ');
  // Where the row's own key was changed as well, its former state is not found: the old side counts then.
  const written = `new_rows n left join old_rows o on ${keyOf(table)
    .map(({ quoted }) => `o.${quoted} = n.${quoted}`)
    .join(' and ')}`;
  const found = `o.${keyOf(table)[0]?.quoted} is not null`;
  const isKept = ({ twin }: Widened) =>
    `(not (${found}) or n.${twin.quoted} is not distinct from o.${twin.quoted})`;
  const isWritten = ({ twin }: Widened) => `${found} and n.${twin.quoted} is distinct from o.${twin.quoted}`;
  const ahead = widened.map((one) => `${isKept(one)} and (${differ([one], 's')})`);
  const behind = widened.map((one) =>
    isOwn(one)
      ? `${isWritten(one)} and (${differ([one], 'n')}) and ${plan}.refuse_twin()`
      : `${isWritten(one)} and (${differ([one], 's')})`,
  );
  const free = widened.filter((one) => !isOwn(one));
  const settable = widened.filter(({ isAlways }) => !isAlways);
  const takenOver = free.map(
    (one) =>
      `${one.column.quoted} = case when ${isWritten(one)} then ${narrowed(one, 's')} else s.${one.column.quoted} end`,
  );
  return [
    row(
      'new rows',
      'insert',
      undefined,
      'forward',
      `update ${relation} s set ${widened.map(({ column, twin }) => `${twin.quoted} = coalesce(s.${twin.quoted}, s.${column.quoted})`).join(', ')}
    from new_rows n where ${same} and (${empty.join(' or ')})${moved}`,
    ),
    row(
      'keys',
      'update',
      widened.map(({ column }) => column.name),
      'forward',
      `update ${relation} s set ${widened.map((one) => `${one.twin.quoted} = case when ${isKept(one)} then s.${one.column.quoted} else s.${one.twin.quoted} end`).join(', ')}
    from ${written} where ${same} and (${ahead.join(' or ')})${moved}`,
    ),
    row(
      'twins',
      'update',
      widened.map(({ twin }) => twin.name),
      'back',
      takenOver.length > 0
        ? `update ${relation} s set ${takenOver.join(', ')}
    from ${written} where ${same} and (${behind.join(' or ')})`
        : `select from ${written} where ${behind.join(' or ')}`,
    ),
    row(
      'new rows with twins',
      'insert',
      undefined,
      'back',
      settable.length > 0
        ? `update ${relation} s set ${settable.map((one) => `${one.column.quoted} = coalesce(${narrowed(one, 's')}, s.${one.column.quoted})`).join(', ')}
    from new_rows n where ${same} and (${given.join(' or ')})`
        : `select from new_rows n where ${given.join(' or ')}`,
    ),
  ];
}
