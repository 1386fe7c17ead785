/** What a plan that widens keys does with each table, and in which steps it ends. */
import { literal, routine, type Step } from './pieces.ts';
import type { Widened, WidenedTable, Widening } from './widening.ts';
import { proved } from './widening-layout.ts';
import { equality } from './widening-swap.ts';

/** What is done with one table, number n. */
export function tableFunctions(widening: Widening, table: WidenedTable, n: number): string[] {
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
  elsif tg_op = 'INSERT' and new.${twin.quoted} is null or tg_op = 'UPDATE'
    and (new.${column.quoted} is distinct from old.${column.quoted} or new.${twin.quoted} is not distinct from old.${twin.quoted}) then
    -- Or a row that a sync has not reached.
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

export const indexRoutine = (plan: string, name: string): string => `has_${name.slice(plan.length + 1)}`;

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

export function steps(widening: Widening): Step[] {
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
