/**
 * A key of type integer becomes bigint, with all that refers to it. Each column gets a twin, which is kept equal and at the
 * end takes its name, in all tables at once.
 */
import { Problem } from '../problem.ts';
import { insertion, neededOf, sampleRows, sampleSchema } from '../sample.ts';
import type { Column, Source } from '../source.ts';
import type { Files } from '../template.ts';
import { type Given, type Kind, option } from './kind.ts';
import {
  literal,
  missingColumn,
  planFolder,
  preflight,
  routine,
  type Step,
  stepRows,
  writer,
} from './pieces.ts';
import { type Constraint, readWidening, type Widened, type WidenedTable, type Widening } from './widening.ts';
import { dependents, equality, known, swap } from './widening-swap.ts';

export const intToBigint: Kind = {
  about: 'a key of type integer becomes bigint, with all that refers to it',
  needs: ['column'],
  walksByColumn: true,
  async files(given) {
    const widening = await readWidening(given.sql, given.plan, await expectInteger(given));
    return { source: widening.source, files: filesOf(widening) };
  },
};

async function expectInteger({ source, options, sql }: Given): Promise<Source> {
  if (option(options, 'column') !== source.key.name) {
    throw new Problem(
      'bad-key',
      `--key ${source.key.name} is another column than --column ${option(options, 'column')}.`,
      'The plan walks by the column that becomes bigint: leave --key out.',
    );
  }
  const [row] = await sql<[{ type: string; generated: boolean }]>`
    select format_type(a.atttypid, null) as type, a.attgenerated <> '' as generated
    from pg_attribute a where a.attrelid = ${source.relation}::regclass and a.attname = ${source.key.name}`;
  if (row.type !== 'integer' || row.generated || !source.key.notNull) {
    const is = row.generated ? 'generated' : source.key.notNull ? `of type ${row.type}` : 'not always there';
    throw new Problem(
      'bad-key',
      `--column: ${source.relation}.${source.key.quoted} is ${is}.`,
      'The plan is for a key of type integer that is never null.',
    );
  }
  return source;
}

/** The suffix of what belongs to a stage. */
const suffix = (stage: number): string => (stage > 1 ? `_${stage}` : '');

interface Layout {
  /** Tables that are walked, in order of their stages. */
  walked: { table: WidenedTable; stage: number; keyType: Source['keyType'] }[];
  /** Tables whose rows go with the row of the source that they refer to. */
  riding: WidenedTable[];
  /** The number of the stage that a rollback takes back first. */
  last: number;
}

function layoutOf({ tables }: Widening): Layout {
  const walked: Layout['walked'] = [];
  for (const table of tables) {
    if (table.walk) walked.push({ table, stage: walked.length + 1, keyType: table.walk.keyType });
  }
  return { walked, riding: tables.filter(({ walk }) => !walk), last: walked.length + 1 };
}

/** By what a row is found. */
const keyOf = ({ walk, primaryKey }: WidenedTable): Column[] => (walk ? [walk.key] : primaryKey);

/** SQL: whether a twin of a row differs. */
const differ = (widened: readonly Widened[], alias: string): string =>
  widened
    .map(({ column, twin }) => `${alias}.${twin.quoted} is distinct from ${alias}.${column.quoted}`)
    .join(' or ');

/** Whether it is changed by itself alone. */
const isOwn = ({ isReferred, isAlways }: Widened): boolean => isReferred || isAlways;

const forward = (widened: readonly Widened[], alias: string): string =>
  widened.map(({ column, twin }) => `${twin.quoted} = ${alias}.${column.quoted}`).join(', ');

/** SQL of the former value of a row as its twin has it: fails where that is too large. */
const narrowed = ({ column, twin }: Widened, alias: string): string =>
  `${alias}.${twin.quoted}::${column.type}`;

function filesOf(widening: Widening): Files {
  const { plan, source, tables } = widening;
  const { walked, riding, last } = layoutOf(widening);
  const title = `${source.schema}.${source.table}.${source.key.name} becomes bigint, with all that refers to it`;
  const schema = `select imago.create_plan(${[plan, title, source.schema, source.table, source.key.name].map(literal).join(', ')});
select imago.add_once('${plan}', ${last}, 'equality by the tables');
`;
  return planFolder(plan, {
    schema,
    functions: {
      known: known(widening).join('\n'),
      dependents: dependents(widening).join('\n'),
      swap: swap(widening).join('\n'),
      ...Object.fromEntries(
        tables.map((table, n) => [`table_${n + 1}`, tableFunctions(widening, table, n + 1).join('\n')]),
      ),
      ...Object.fromEntries(
        walked.map(({ table, stage, keyType }) => [
          `apply${suffix(stage)}`,
          apply(plan, table, keyType, stage, stage === 1 ? riding : []),
        ]),
      ),
      prepare: views(widening),
      ...(tables.some(({ widened }) => widened.some((one) => isOwn(one))) && {
        refuse_twin: routine(
          `${plan}.refuse_twin()`,
          'boolean',
          'Refuses that a key is changed by its twin: what refers to it would not follow, or it is always generated.',
          `begin
  raise exception using errcode = 'feature_not_supported', message = 'a key is changed by its own column until the plan is finalized';
end`,
          'plpgsql',
        ),
      }),
      [`do_${last}`]: routine(
        `${plan}.do_${last}()`,
        'void',
        'Nothing yet: finalize has the tables hold both sides equal.',
        '  select',
      ),
      [`undo_${last}`]: routine(
        `${plan}.undo_${last}()`,
        'void',
        'Takes away what finalize had put up to hold both sides equal: it would refuse that the twins are emptied.',
        `begin
${tables
  .map(
    ({ relation }) => `  drop trigger if exists "~imago_${equality(plan)}" on ${relation};
  alter table ${relation} drop constraint if exists ${equality(plan)};`,
  )
  .join('\n')}
end`,
        'plpgsql',
      ),
      clean: routine(
        `${plan}.clean()`,
        'void',
        'Clean-up step: the views.',
        `  -- Prepare makes them again.
  drop view if exists ${viewNames(widening).join(', ')}`,
      ),
      ...(riding.length > 0 && {
        is_moved: routine(
          `${plan}.is_moved(entity integer)`,
          'boolean',
          `Whether the row of ${source.relation} with this key has been moved.`,
          `  select exists (select from ${source.relation} s where s.${source.key.quoted} = entity and s.${tables[0]?.widened[0]?.twin.quoted} is not null)`,
          'sql',
          'stable',
        ),
      }),
      ...(proved(widening).length > 0 && {
        valid: proved(widening)
          .map(({ relation, name }, n) =>
            routine(
              `${plan}.is_valid_${n + 1}()`,
              'boolean',
              `Direct step: whether ${name} of ${relation} is valid again.`,
              `  select imago.validate_constraint(${literal(relation)}, ${literal(name)})`,
            ),
          )
          .join('\n'),
      }),
      preflight: preflight(plan, problems(widening)),
    },
    registration: registration(widening, steps(widening)),
    rows: sample(widening),
    conformance: conformance(widening),
  });
}

const viewNames = (widening: Widening): string[] =>
  layoutOf(widening).walked.flatMap(({ table, stage }) => [
    ...(isPartial(table) ? [`${widening.plan}.concerned${suffix(stage)}`] : []),
    `${widening.plan}.pending${suffix(stage)}`,
  ]);

/** Whether there may be rows that hold no key. */
const isPartial = ({ widened }: WidenedTable): boolean => widened.every(({ column }) => !column.notNull);

function apply(
  plan: string,
  { relation, entity, widened }: WidenedTable,
  keyType: Source['keyType'],
  stage: number,
  riding: readonly WidenedTable[],
): string {
  const updates = [{ relation, entity, widened }, ...riding].map(
    (table) => `  update ${table.relation} s set ${forward(table.widened, 's')}
  where s.${table.entity.quoted} = any (keys) and (${differ(table.widened, 's')});`,
  );
  return routine(
    `${plan}.apply${suffix(stage)}(keys ${keyType}[])`,
    'void',
    `Fills the twins of exactly these rows of ${relation}${riding.length > 0 ? ', and of what goes with them' : ''}.`,
    `  -- Triggers of the app that this fires find their names as they do at home.
  select set_config('search_path', imago.app_search_path(), true);
${updates.join('\n')}`,
  );
}

function views(widening: Widening): string {
  const { plan } = widening;
  const { walked, riding } = layoutOf(widening);
  const statements = walked.map(({ table, stage }) => {
    const { relation, entity, widened } = table;
    const hanging = (stage === 1 ? riding : []).map(
      (other) => `
      or exists (select from ${other.relation} r where r.${other.entity.quoted} = s.${entity.quoted} and (${differ(other.widened, 'r')}))`,
    );
    const pending = `  create or replace view ${plan}.pending${suffix(stage)} as
    select s.${entity.quoted} as entity from ${relation} s
    where ${differ(widened, 's')}${hanging.join('')};
  comment on view ${plan}.pending${suffix(stage)} is ${literal(`Rows of ${relation} whose twins are still to be filled.`)};`;
    if (!isPartial(table)) return pending;
    const held = widened
      .map(({ column, twin }) => `s.${column.quoted} is not null or s.${twin.quoted} is not null`)
      .join(' or ');
    return `${pending}
  create or replace view ${plan}.concerned${suffix(stage)} as
    select s.${entity.quoted} as entity from ${relation} s
    where ${held};
  comment on view ${plan}.concerned${suffix(stage)} is ${literal(`Rows of ${relation} that hold a key.`)};`;
  });
  return routine(
    `${plan}.prepare()`,
    'void',
    'Prepare step: the views.',
    `begin
${statements.join('\n')}
end`,
    'plpgsql',
  );
}

/** What is done with one table, number n. */
function tableFunctions(widening: Widening, table: WidenedTable, n: number): string[] {
  const { plan } = widening;
  const { relation, widened, indexes } = table;
  const check = equality(plan);
  const names = (pick: (one: Widened) => string) => widened.map(pick).join(', ');
  const equal = widened.map(({ column, twin }) =>
    column.notNull
      ? `${twin.quoted} is not null and ${twin.quoted} = ${column.quoted}`
      : `${twin.quoted} is not distinct from ${column.quoted}`,
  );
  const follow = widened
    .map(
      ({ column, twin }) => `  if new.${twin.quoted} is not distinct from new.${column.quoted} then
    null;
  elsif tg_op = 'INSERT' and new.${twin.quoted} is null or tg_op = 'UPDATE' and new.${column.quoted} is distinct from old.${column.quoted} then
    new.${twin.quoted} := new.${column.quoted};
  elsif new.${twin.quoted} is not null then
    new.${column.quoted} := new.${twin.quoted};
  end if;`,
    )
    .join('\n');
  return [
    routine(
      `${plan}.columns_${n}()`,
      'void',
      `Prepare step: ${names(({ twin }) => twin.quoted)} of ${relation}, nullable, so that no row is written.`,
      `begin
${widened
  .map(
    ({ twin }) => `  if not exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = ${literal(relation)}::pg_catalog.regclass and a.attname = ${literal(twin.name)} and not a.attisdropped) then
    alter table ${relation} add column ${twin.quoted} bigint;
    -- By this clean-up knows it from a column of the app's own.
    perform imago.note_added('${plan}', ${literal(relation)}, ${literal(twin.name)});
  end if;`,
  )
  .join('\n')}
end`,
      'plpgsql',
    ),
    routine(
      `${plan}.equal_${n}()`,
      'trigger',
      `Trigger: what is written to either side of a row of ${relation} is on both, from finalize to the swap.`,
      `begin
${follow}
  return new;
end`,
      'plpgsql',
    ),
    routine(
      `${plan}.hold_${n}()`,
      'void',
      `Finalize step: each row of ${relation} that is written has both sides equal, or is refused.`,
      `  create or replace trigger "~imago_${check}" before insert or update on ${relation}
    for each row execute function ${plan}.equal_${n}();
  alter table ${relation} drop constraint if exists ${check};
  alter table ${relation} add constraint ${check} check (${equal.join(' and ')}) not valid;`,
    ),
    routine(
      `${plan}.is_equal_${n}()`,
      'boolean',
      `Direct step: whether all rows of ${relation} are proved to have both sides equal.`,
      `  select imago.validate_constraint(${literal(relation)}, '${check}')`,
    ),
    routine(
      `${plan}.is_known_${n}()`,
      'boolean',
      `Direct step: whether the planner knows the twins of ${relation} as well as what they stand for.`,
      `begin
  if not exists (
    select from pg_catalog.pg_attribute a
    join ${plan}.twins() t on t.relation = ${literal(relation)} and t.former = a.attname
    join pg_catalog.pg_attribute b on b.attrelid = a.attrelid and b.attname = t.twin
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace o on o.oid = c.relnamespace
    join pg_catalog.pg_stats f on f.schemaname = o.nspname and f.tablename = c.relname and f.attname = a.attname
    left join pg_catalog.pg_stats s on s.schemaname = f.schemaname and s.tablename = f.tablename and s.attname = b.attname
    where a.attrelid = ${literal(relation)}::pg_catalog.regclass and (s.null_frac > f.null_frac + 0.05 or s.null_frac is null)) then
    return true;
  end if;
  if imago.is_large(${literal(relation)}) then
    return false;
  end if;
  analyze ${relation} (${names(({ twin }) => twin.quoted)});
  return true;
end`,
      'plpgsql',
    ),
    ...indexes.map(({ full, twin, isUnique, tail }) =>
      routine(
        `${plan}.${indexRoutine(plan, twin.name)}()`,
        'boolean',
        `Direct step: what ${full} is, on the twins.`,
        `begin
  if exists (select from pg_catalog.pg_index i where i.indexrelid = pg_catalog.to_regclass(${literal(twin.full)}) and i.indisvalid) then
    return true;
  end if;
  -- The table is read once for it, while its writers wait.
  if not imago.may_hold(${literal(relation)}) then
    return false;
  end if;
  -- What a concurrent build that failed has left behind.
  drop index if exists ${twin.full};
  create ${isUnique ? 'unique ' : ''}index ${twin.name} on ${relation} ${tail};
  return true;
end`,
        'plpgsql',
      ),
    ),
    routine(
      `${plan}.drop_former_${n}()`,
      'void',
      `Clean-up step after finalize: drops ${names(({ aside }) => aside.quoted)} of ${relation}.`,
      `  -- They read the columns. Without them all rows count.
  select ${plan}.clean();
  alter table ${relation} ${widened.map(({ aside }) => `drop column if exists ${aside.quoted}`).join(', ')};`,
    ),
    routine(
      `${plan}.drop_twins_${n}()`,
      'jsonb',
      `Clean-up step after a complete rollback: drops ${names(({ twin }) => twin.quoted)} of ${relation}, where prepare added them and nobody has written them since.`,
      dropTwins(widening, table),
      'plpgsql',
    ),
  ];
}

const indexRoutine = (plan: string, name: string): string => `has_${name.slice(plan.length + 1)}`;

function dropTwins({ plan }: Widening, { relation, widened }: WidenedTable): string {
  const added = widened.map(
    ({ twin }) => `imago.is_added('${plan}', ${literal(relation)}, ${literal(twin.name)})`,
  );
  const own = widened.map(
    ({ column, twin }) =>
      `s.${twin.quoted} is not null and s.${twin.quoted} is distinct from s.${column.quoted}`,
  );
  const list = widened.map(({ twin }) => twin.quoted).join(', ');
  return `begin
  perform ${plan}.clean();
  if not (${added.join(' and ')}) then
    return null;
  end if;
  if not imago.may_hold(${literal(relation)}) then
    return jsonb_build_object('warnings', jsonb_build_array(
      ${literal(`${relation} would be looked through while its writers wait: ${list} stay.`)}));
  end if;
  -- Who reads goes on meanwhile.
  lock table ${relation} in share row exclusive mode;
  if exists (select from ${relation} s where ${own.join(' or ')}) then
    return jsonb_build_object('warnings', jsonb_build_array(${literal(`${list} of ${relation} hold values of their own: they stay`)}));
  end if;
${widened.map(({ twin }) => `  perform imago.forget_added('${plan}', ${literal(relation)}, ${literal(twin.name)});`).join('\n')}
  alter table ${relation} ${widened.map(({ twin }) => `drop column ${twin.quoted}`).join(', ')};
  return jsonb_build_object('warnings', jsonb_build_array(${literal(`${list} of ${relation} held nothing of their own: dropped`)}));
end`;
}

/** Constraints that are valid, and have to be again. */
const proved = ({ constraints }: Widening): Constraint[] =>
  constraints.filter(({ definition }) => !definition.endsWith(' NOT VALID'));

function steps(widening: Widening): Step[] {
  const { plan, tables } = widening;
  const check = equality(plan);
  const each = (step: (table: WidenedTable, n: number) => Step) =>
    tables.map((table, index) => step(table, index + 1));
  return [
    ...each(({ relation }, n) => ({
      name: `both sides of ${relation} are equal`,
      phase: 'finalize',
      routine: `hold_${n}`,
      isReversible: true,
    })),
    ...tables.flatMap(({ relation, indexes }) =>
      indexes.map(
        ({ full, twin, isUnique, tail }): Step => ({
          name: `index ${full} on the twins`,
          phase: 'finalize',
          routine: indexRoutine(plan, twin.name),
          statement: `create ${isUnique ? 'unique ' : ''}index concurrently ${twin.name} on ${relation} ${tail}`,
        }),
      ),
    ),
    ...each(({ relation }, n) => ({
      name: `equality of ${relation} proved`,
      phase: 'finalize',
      routine: `is_equal_${n}`,
      statement: `alter table ${relation} validate constraint ${check}`,
    })),
    ...each(({ relation, widened }, n) => ({
      name: `statistics of ${relation}`,
      phase: 'finalize',
      routine: `is_known_${n}`,
      statement: `analyze ${relation} (${widened.map(({ twin }) => twin.quoted).join(', ')})`,
    })),
    { name: 'twins take the old names', phase: 'finalize', routine: 'swap' },
    ...proved(widening).map(
      ({ relation, name, quoted }, n): Step => ({
        name: `${name} of ${relation} proved`,
        phase: 'finalize',
        routine: `is_valid_${n + 1}`,
        statement: `alter table ${relation} validate constraint ${quoted}`,
      }),
    ),
    ...each(({ relation }, n) => ({
      name: `old columns of ${relation} dropped`,
      phase: 'cleanup',
      routine: `drop_former_${n}`,
      onlyAfter: 'finalize',
    })),
    ...each(({ relation }, n) => ({
      name: `twins of ${relation}, if empty`,
      phase: 'cleanup',
      routine: `drop_twins_${n}`,
      onlyAfter: 'rollback',
    })),
  ];
}

function problems(widening: Widening): string[] {
  const { plan, source, tables } = widening;
  return [
    ...tables.flatMap(({ relation, widened, walk, entity }) => [
      ...(relation === source.relation
        ? []
        : [`  select * from imago.relation_problems(${literal(relation)})`]),
      `  select * from imago.partition_problems(${literal(relation)}, 'Its keys could not be changed.')`,
      ...widened.flatMap(({ column, twin, aside }) => [
        `  ${missingColumn(relation, column)}`,
        `  select 'error', 'name_taken', ${literal(`${relation}.${twin.quoted}`)}, format('%I is there already, and not made by this plan', a.attname), 'Rename it.'
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass(${literal(relation)}) and not a.attisdropped
    and (a.attname = ${literal(aside.name)} or a.attname = ${literal(twin.name)} and not imago.is_added('${plan}', ${literal(relation)}, ${literal(twin.name)}))`,
      ]),
      ...(walk
        ? []
        : [`  select * from imago.index_warning(${literal(relation)}, ${literal(entity.name)}, 'the walk')`]),
    ]),
    `  select * from ${plan}.dependents()`,
  ];
}

function registration(widening: Widening, finish: readonly Step[]): string {
  const { plan, tables } = widening;
  const { walked, riding } = layoutOf(widening);
  const staged = [
    ...walked,
    ...riding.map((table) => ({ table, stage: 1, keyType: widening.source.keyType })),
  ];
  const further = walked.filter(({ stage }) => stage > 1);
  const list = (names: readonly string[]) => `array[${names.map(literal).join(', ')}]`;
  const syncs = staged.flatMap(({ table, stage }) => syncsOf(plan, table, stage, riding.includes(table)));
  const checks = staged.map(({ table, stage }, n) => {
    const { relation, entity, widened } = table;
    const key = keyOf(table)[0] ?? entity;
    const query = `select s.${key.quoted} as key, s.${entity.quoted} as entity from ${relation} s where ${differ(widened, 's')}`;
    return `  ('${plan}', ${stage}, ${n + 1}, 'sides_differ${n > 0 ? `_${n + 1}` : ''}', 'error', 'after', ${literal(relation)}, ${literal(key.name)},
   ${literal(query)},
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

insert into imago.plan_check (plan, stage, position, name, severity, phase, source, key_column, query, fix, routine, meaning, remedy) values
${checks.join(',\n')},
  ('${plan}', 1, ${checks.length + 1}, 'dependents', 'error', 'after', null, null, null, null, '${plan}.check_dependents',
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

/** Rows of the source, and rows that refer to them. */
function sample({ source, tables }: Widening): string {
  const more = tables.flatMap(({ relation, columns, parents, widened }) => {
    const child = { ...source, relation, columns, parents };
    const referred = widened
      .filter(({ column }) => relation !== source.relation || column.name !== source.key.name)
      .map(({ column }, n) => {
        const table = tables.find(({ oid }) => oid === column.refers?.relation);
        const key = table?.columns.find(({ name }) => name === column.refers?.column)?.quoted;
        return {
          column,
          value: `(select k.${key} from ${table?.relation} k order by k.${key} offset (i + ${n}) % 50 limit 1)`,
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

function conformance(widening: Widening): string {
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
