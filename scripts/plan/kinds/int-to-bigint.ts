/**
 * A key of type integer becomes bigint, with all that refers to it. Each column gets a twin, which is kept equal and at the
 * end takes its name, in all tables at once.
 */
import { Problem } from '../problem.ts';
import type { Source } from '../source.ts';
import type { Files } from '../template.ts';
import { type Given, type Kind, option } from './kind.ts';
import { checkQuery, literal, missingColumn, planFolder, preflight, routine } from './pieces.ts';
import { readWidening, type WidenedTable, type Widening } from './widening.ts';
import { differ, forward, isOwn, layoutOf, proved, suffix } from './widening-layout.ts';
import { checkQueries, registration } from './widening-registration.ts';
import { dependents, equality, known, swap } from './widening-swap.ts';
import { steps, tableFunctions } from './widening-tables.ts';
import { conformance, sample } from './widening-trial.ts';

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
      check_query: checkQuery(widening.plan, checkQueries(widening)),
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
        `declare
  own record;
begin
  -- Only where there is something: all of them have to be held for it.
  if not exists (
      select from ${plan}.twins() t
      join pg_catalog.pg_constraint c on c.conrelid = t.relation::pg_catalog.regclass and c.conname = '${equality(plan)}') then
    return;
  end if;
  perform ${plan}.lock_tables();
  for own in select distinct t.relation from ${plan}.twins() t loop
    execute format('drop trigger if exists "~imago_${equality(plan)}" on %s', own.relation);
    execute format('alter table %s drop constraint if exists ${equality(plan)}', own.relation);
  end loop;
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
  where s.${table.entity.quoted} = any (apply${suffix(stage)}.keys) and (${differ(table.widened, 's')});`,
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
