/** Plans at whose end one column takes the place of another: what speaks against it, and the steps that hand over. */
import type { Column, Source } from '../source.ts';
import { literal, routine, type Step } from './pieces.ts';

/** One column comes after another. */
export interface Succession {
  plan: string;
  source: Source;
  former: Column;
  heir: { name: string; quoted: string; type: string };
  /** The heir gets the name of the former, which has this one until clean-up. Undefined: both keep their names. */
  aside?: { name: string; quoted: string };
  /** SQL of the heir's value from the row s where it is more than a cast: a default is converted by it. */
  convert?: string | undefined;
}

/** SQL of problems: what depends on the column that goes, and would stay with it. */
export function dependents({
  plan,
  source,
  former,
  convert,
}: Pick<Succession, 'plan' | 'source' | 'former' | 'convert'>): string {
  return `  -- Views of this plan and the column's own default are no obstacle.
  select
    case when i.relkind in ('i', 'I') then 'warning' else 'error' end, 'dependent',
    pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid),
    ${literal(`depends on ${source.relation}.${former.quoted}, whose place another column takes`)},
    case when i.relkind in ('i', 'I')
      then 'Create the same index on the new column, concurrently, before you finalize.'
      else 'Take it away, and make it again on the new column once the plan is finalized.' end
  from pg_catalog.pg_depend d
  join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
  left join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid
  left join pg_catalog.pg_class v on v.oid = r.ev_class
  left join pg_catalog.pg_class i on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and i.oid = d.objid
  left join pg_catalog.pg_attrdef f on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and f.oid = d.objid
  where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refobjid = pg_catalog.to_regclass(${literal(source.relation)}) and a.attname = ${literal(former.name)}
    and v.relnamespace is distinct from pg_catalog.to_regnamespace('${plan}')
    and f.adnum is distinct from a.attnum${
      convert === undefined
        ? ''
        : `
  union all
  select 'error', 'dependent', ${literal(`default of ${source.relation}.${former.quoted}`)},
    'is computed at each insert, so that it cannot be converted once',
    'Take it away, and set one of the new type once the plan is finalized.'
  from pg_catalog.pg_attribute a join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = pg_catalog.to_regclass(${literal(source.relation)}) and a.attname = ${literal(former.name)}
    and pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '\\w\\(|CURRENT_|LOCAL'`
    }`;
}

/** Functions and steps: name, default and not null go to the heir, and the former column goes at clean-up. */
export function handover({ plan, source, former, heir, aside, convert }: Succession): {
  functions: Record<string, string>;
  steps: Step[];
} {
  const { relation } = source;
  const final = aside ? former : heir;
  const gone = aside ?? former;
  const required = requirement(plan, relation, final.quoted);
  return {
    functions: {
      hand_over: routine(
        `${plan}.hand_over()`,
        'void',
        `Finalize step: ${heir.quoted} takes the place of ${former.quoted}${aside ? `, which is kept as ${aside.quoted} until clean-up` : ''}.`,
        `declare
  preset text;
begin
  select pg_catalog.pg_get_expr(d.adbin, d.adrelid) into preset
  from pg_catalog.pg_attribute a join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = ${literal(relation)}::pg_catalog.regclass and a.attname = ${literal(former.name)};
  -- Whether values are required is looked up later.
  alter table ${relation}
    alter column ${former.quoted} drop default,
    alter column ${former.quoted} drop not null;
${
  aside
    ? `  alter table ${relation} rename column ${former.quoted} to ${aside.quoted};
  alter table ${relation} rename column ${heir.quoted} to ${former.quoted};
`
    : ''
}  if preset is not null then
${
  convert === undefined
    ? ''
    : `    execute 'select quote_nullable(' || ${literal(`(${convert})::text`)} || ') from (select (' || preset || ')::${former.type} as ${former.quoted}) s' into preset;
`
}    execute format('alter table ${relation} alter column %I set default (%s)::%s', ${literal(final.name)}, preset, ${literal(heir.type)});
  end if;
  perform imago.forget_added('${plan}', ${literal(relation)}, ${literal(heir.name)});
end`,
        'plpgsql',
      ),
      drop_former: routine(
        `${plan}.drop_former()`,
        'void',
        `Clean-up step after finalize: drops ${relation}.${gone.quoted}.`,
        `  -- They read the column. Without them all rows count.
  drop view if exists ${plan}.concerned, ${plan}.pending;
  alter table ${relation} drop column if exists ${gone.quoted};`,
      ),
      ...(former.notNull ? required.functions : {}),
    },
    steps: [
      {
        name: aside ? `${former.name} and ${heir.name} change names` : `${heir.name} takes over`,
        phase: 'finalize',
        routine: 'hand_over',
      },
      ...(former.notNull ? required.steps : []),
      {
        name: `column ${gone.name} dropped`,
        phase: 'cleanup',
        routine: 'drop_former',
        onlyAfter: 'finalize',
      },
    ],
  };
}

/** Functions and steps that make a column not null without reading the table under a lock that others wait for. */
export function requirement(
  plan: string,
  relation: string,
  column: string,
): { functions: Record<string, string>; steps: Step[] } {
  const constraint = `${plan}_value_required`;
  return {
    functions: {
      require_value: routine(
        `${plan}.require_value()`,
        'void',
        `Finalize step: new rows must have a value in ${column}.`,
        `  alter table ${relation} drop constraint if exists ${constraint};
  alter table ${relation} add constraint ${constraint} check (${column} is not null) not valid;`,
      ),
      has_values: routine(
        `${plan}.has_values()`,
        'boolean',
        `Direct step: whether all rows are proved to have a value in ${column}.`,
        `  select imago.validate_constraint(${literal(relation)}, '${constraint}')`,
      ),
      set_not_null: routine(
        `${plan}.set_not_null()`,
        'void',
        `Finalize step: ${column} is not null, which the constraint has proved, so that no row is read.`,
        `  alter table ${relation} alter column ${column} set not null;
  alter table ${relation} drop constraint if exists ${constraint};`,
      ),
    },
    steps: [
      { name: 'values required', phase: 'finalize', routine: 'require_value' },
      {
        name: 'values proved',
        phase: 'finalize',
        routine: 'has_values',
        statement: `alter table ${relation} validate constraint ${constraint}`,
      },
      { name: 'not null', phase: 'finalize', routine: 'set_not_null' },
    ],
  };
}
