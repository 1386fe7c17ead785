/** The end of a plan that widens keys: what would not come along, and the step in which the twins take the old names. */
import { literal, routine } from './pieces.ts';
import type { Widening } from './widening.ts';

/** The name of the check by which a table holds both sides equal. */
export const equality = (plan: string): string => `${plan}_equal`;

const values = (rows: readonly string[], columns: number): string =>
  rows.length > 0
    ? `  values\n    ${rows.join(',\n    ')}`
    : `  select ${Array.from({ length: columns }, () => 'null::text').join(', ')} where false`;

const tuple = (texts: readonly string[]): string => `(${texts.map(literal).join(', ')})`;

/** What the plan was written for, as functions. */
export function known({ plan, tables, constraints }: Widening): string[] {
  return [
    routine(
      `${plan}.twins()`,
      'table (relation text, former text, twin text, aside text, required boolean)',
      'Columns that become bigint: each with its twin, and with the name that it has from the swap to clean-up.',
      values(
        tables.flatMap(({ relation, widened }) =>
          widened.map(
            ({ column, twin, aside }) =>
              `(${[relation, column.name, twin.name, aside.name].map(literal).join(', ')}, ${column.notNull})`,
          ),
        ),
        5,
      ),
      'sql',
      'stable',
    ),
    routine(
      `${plan}.indexes()`,
      'table (relation text, index text, definition text, twin text)',
      'Indexes in which these columns are, as they were when the plan was written, and what the same index on the twins is called.',
      values(
        tables.flatMap(({ relation, indexes }) =>
          indexes.map(({ full, definition, twin }) => tuple([relation, full, definition, twin.full])),
        ),
        4,
      ),
      'sql',
      'stable',
    ),
    routine(
      `${plan}.constraints()`,
      'table (relation text, name text, definition text)',
      'Checks and foreign keys in which these columns are, as they were when the plan was written.',
      values(
        constraints.map(({ relation, name, definition }) => tuple([relation, name, definition])),
        3,
      ),
      'sql',
      'stable',
    ),
  ];
}

/** Views that stand on these columns, and on each other. */
const views = (plan: string): string => `widened as (
    select t.relation, t.former, t.twin, t.aside, t.required <> a.attnotnull as has_changed, a.attrelid as oid, a.attnum
    from ${plan}.twins() t
    join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(t.relation) and a.attname = t.former and not a.attisdropped
  ), views (oid, depth) as (
    select r.ev_class, 1
    from widened w
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = w.oid and d.refobjsubid = w.attnum
    join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid
    join pg_catalog.pg_class c on c.oid = r.ev_class and c.relkind = 'v' and c.relnamespace <> '${plan}'::pg_catalog.regnamespace
    union
    select r.ev_class, v.depth + 1
    from views v
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = v.oid
    join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid and r.ev_class <> v.oid
    join pg_catalog.pg_class c on c.oid = r.ev_class and c.relkind = 'v'
  )`;

/** What would be lost, or keep the twins from taking the old names: for preflight, a check, and the swap itself. */
export function dependents({ plan }: Widening): string[] {
  const later = 'Drop it, and make it again once the plan is finalized.';
  const rewrite = 'Take the plan back, and write it again: it looks at the tables as they are.';
  return [
    routine(
      `${plan}.dependents()`,
      'setof imago.problem',
      'What stands on these columns and would not come along when the twins take their names.',
      `  with recursive ${views(plan)}
  select 'error', 'dependent', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid),
    format('stands on %s.%I, and would not come along', w.relation, w.former), ${literal(later)}
  from widened w
  join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = w.oid and d.refobjsubid = w.attnum
  where not coalesce(case d.classid
    when 'pg_catalog.pg_attrdef'::pg_catalog.regclass then
      exists (select from pg_catalog.pg_attrdef f where f.oid = d.objid and f.adrelid = w.oid and f.adnum = w.attnum)
    when 'pg_catalog.pg_class'::pg_catalog.regclass then exists (
      select from pg_catalog.pg_class c where c.oid = d.objid and (c.relkind = 'S' and pg_catalog.pg_has_role(c.relowner, 'usage') or exists (
        select from ${plan}.indexes() i where i.index = c.oid::pg_catalog.regclass::text and i.definition = pg_catalog.pg_get_indexdef(c.oid))))
    when 'pg_catalog.pg_constraint'::pg_catalog.regclass then exists (
      select from pg_catalog.pg_constraint c where c.oid = d.objid and (
        c.contype = 'n' or c.conrelid = w.oid and c.conname = '${equality(plan)}'
        or c.contype in ('p', 'u') and exists (
          select from ${plan}.indexes() i where i.index = c.conindid::pg_catalog.regclass::text and i.definition = pg_catalog.pg_get_indexdef(c.conindid))
        or exists (
          select from ${plan}.constraints() k
          where k.relation = c.conrelid::pg_catalog.regclass::text and k.name = c.conname and k.definition = pg_catalog.pg_get_constraintdef(c.oid))))
    when 'pg_catalog.pg_rewrite'::pg_catalog.regclass then exists (
      select from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class and c.relkind = 'v' and r.rulename = '_RETURN'
      where r.oid = d.objid)
    when 'pg_catalog.pg_policy'::pg_catalog.regclass then exists (
      select from pg_catalog.pg_policy y join pg_catalog.pg_class c on c.oid = y.polrelid and pg_catalog.pg_has_role(c.relowner, 'usage')
      where y.oid = d.objid)
    when 'pg_catalog.pg_trigger'::pg_catalog.regclass then true
    when 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass then true
  end, false)
  union all
  select 'error', 'dependent', v.oid::pg_catalog.regclass::text,
    'is a view on these columns that belongs to somebody else, has grants by column, or has something that stands on it and would not come along', ${literal(later)}
  from (select distinct v.oid from views v) v join pg_catalog.pg_class c on c.oid = v.oid
  where not pg_catalog.pg_has_role(c.relowner, 'usage')
    or exists (select from pg_catalog.pg_attribute a where a.attrelid = v.oid and a.attacl is not null)
    or exists (
      select from pg_catalog.pg_depend d
      where (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = v.oid
          or d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.refobjid = c.reltype)
        and d.deptype <> 'i' and not exists (
          select from pg_catalog.pg_rewrite r join pg_catalog.pg_class o on o.oid = r.ev_class and o.relkind = 'v' and r.rulename = '_RETURN'
          where d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid))
  union all
  -- The same column by its sequence.
  select 'error', 'dependent', s.oid::pg_catalog.regclass::text,
    format('numbers %s.%I, ends where integer does, and belongs to somebody else', w.relation, w.former), 'Have its owner run: alter sequence … as bigint'
  from widened w
  join pg_catalog.pg_attrdef f on f.adrelid = w.oid and f.adnum = w.attnum
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  join pg_catalog.pg_class s on s.oid = d.refobjid and s.relkind = 'S' and not pg_catalog.pg_has_role(s.relowner, 'usage')
  join pg_catalog.pg_sequence q on q.seqrelid = s.oid and q.seqtypid <> 'bigint'::pg_catalog.regtype
  union all
  select 'error', 'dependent', k.name, 'has changed since the plan was written, or is not there any more', ${literal(rewrite)}
  from (
    select i.relation, i.index as name, exists (
      select from pg_catalog.pg_index x
      where x.indexrelid = pg_catalog.to_regclass(i.index) and pg_catalog.pg_get_indexdef(x.indexrelid) = i.definition) as same
    from ${plan}.indexes() i
    union all
    select c.relation, c.relation || '.' || c.name, exists (
      select from pg_catalog.pg_constraint x
      where x.conrelid = pg_catalog.to_regclass(c.relation) and x.conname = c.name and pg_catalog.pg_get_constraintdef(x.oid) = c.definition)
    from ${plan}.constraints() c
  ) k
  where pg_catalog.to_regclass(k.relation) is not null and not k.same
  union all
  select 'error', 'dependent', format('%s.%I', w.relation, w.former), 'may be null, and may not have been when the plan was written, or the other way round', ${literal(rewrite)}
  from widened w where w.has_changed
  union all
  select distinct 'error', 'other_plan', o.name, format('is another plan that is under way, and has rows of %s in its journal, by their keys', w.relation),
    'Finalize it first, or take it back and clean it up.'
  from widened w
  join imago.plan_write p on pg_catalog.to_regclass(p.relation) = w.oid
  join imago.plan o on o.name = p.plan and o.name <> '${plan}' and o.prepared_at is not null and o.finalized_at is null and o.cleaned_at is null`,
      'sql',
      'stable',
    ),
    routine(
      `${plan}.check_dependents(plan imago.plan)`,
      'jsonb',
      'Check: what would not come along when the twins take the old names.',
      `  select jsonb_build_object('findings', coalesce(jsonb_agg(to_jsonb(p) - '{severity,kind}'::text[]), '[]'))
  from ${plan}.dependents() p
  where (select o.closed_at from imago.plan o where o.name = '${plan}') is null`,
      'sql',
      'stable',
    ),
  ];
}

/** The step that closes the way back: catalogue alone, all tables at once, so that nobody sees one without the other. */
export function swap({ plan }: Widening): string[] {
  return [
    routine(
      `${plan}.restore_grants(relation regclass, grants aclitem[])`,
      'void',
      'Gives a view or sequence that was made again the grants that it had, and no others.',
      `declare
  what constant text := (select case c.relkind when 'S' then 'sequence' else 'table' end from pg_catalog.pg_class c where c.oid = relation);
  owner constant oid := (select c.relowner from pg_catalog.pg_class c where c.oid = relation);
  own record;
begin
  -- Default privileges may have opened it.
  for own in
    select distinct case g.grantee when 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end as role
    from pg_catalog.pg_class c cross join lateral pg_catalog.aclexplode(c.relacl) g
    where c.oid = relation and g.grantee <> owner
  loop
    execute format('revoke all on %s %s from %s', what, relation, own.role);
  end loop;
  for own in
    select case g.grantee when 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end as role,
      g.privilege_type as privilege, case when g.is_grantable then ' with grant option' else '' end as option
    from pg_catalog.aclexplode(grants) g
    where g.grantee <> owner
  loop
    execute format('grant %s on %s %s to %s%s', own.privilege, what, relation, own.role, own.option);
  end loop;
end`,
      'plpgsql',
    ),
    routine(
      `${plan}.lock_tables()`,
      'void',
      'Holds all tables alone, or fails with 55P03 after ddl_lock_timeout_ms.',
      `declare
  patience constant text := current_setting('lock_timeout');
  started constant timestamptz := clock_timestamp();
  own record;
begin
  loop
    -- By short waits, after each of which all are let go: who holds one of them may be waiting for another.
    begin
      perform set_config('lock_timeout', '50ms', true);
      for own in select distinct t.relation from ${plan}.twins() t order by 1 loop
        execute format('lock table only %s in access exclusive mode', own.relation);
      end loop;
      perform set_config('lock_timeout', patience, true);
      return;
    exception when lock_not_available then
      if clock_timestamp() - started > imago.setting_number('ddl_lock_timeout_ms') * interval '1 ms' then
        raise;
      end if;
    end;
  end loop;
end`,
      'plpgsql',
    ),
    swapViews(plan),
    swapRules(plan),
    swapConstraints(plan),
    swapIndexes(plan),
    swapColumns(plan),
    routine(
      `${plan}.swap()`,
      'void',
      'Finalize step that closes the way back: the twins take the old names, in all tables at once. No row is read or written.',
      `declare
  own record;
  later text[];
  statement text;
begin
  if exists (
      select from ${plan}.twins() t
      where not exists (
        select from pg_catalog.pg_constraint c
        where c.conrelid = t.relation::pg_catalog.regclass and c.conname = '${equality(plan)}' and c.convalidated))
    or exists (
      select from ${plan}.indexes() i
      where not exists (select from pg_catalog.pg_index x where x.indexrelid = pg_catalog.to_regclass(i.twin) and x.indisvalid)) then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = 'not all is proved and built';
  end if;
  perform ${plan}.lock_tables();
  -- Nothing can come any more.
  for own in select p.object from ${plan}.dependents() p limit 1 loop
    raise exception using errcode = 'dependent_objects_still_exist', table = own.object, message = 'something would not come along';
  end loop;
  -- Each drops what is in the way, and returns what makes it again under the same names.
  later := ${plan}.swap_views();
  later := ${plan}.swap_rules() || later;
  later := ${plan}.swap_constraints() || later;
  later := ${plan}.swap_indexes() || later;
  perform ${plan}.swap_columns();
  foreach statement in array later loop
    execute statement;
  end loop;
end`,
      'plpgsql',
    ),
  ];
}

function swapViews(plan: string): string {
  return routine(
    `${plan}.swap_views()`,
    'text[]',
    'Part of the swap: drops the views on these columns, and returns what makes them again.',
    `declare
  own record;
  later text[] := '{}';
begin
  for own in
    with recursive ${views(plan)}
    select c.oid::pg_catalog.regclass::text as name, pg_catalog.pg_get_userbyid(c.relowner) as owner, c.relacl,
      format('create view %s%s as %s', c.oid::pg_catalog.regclass, ' with (' || array_to_string(c.reloptions, ', ') || ')', pg_catalog.pg_get_viewdef(c.oid)) as made,
      array(
        select case when s.objsubid = 0 then format('comment on view %s is %L', c.oid::pg_catalog.regclass, s.description)
          else format('comment on column %s.%I is %L', c.oid::pg_catalog.regclass, a.attname, s.description) end
        from pg_catalog.pg_description s left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = s.objsubid
        where s.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and s.objoid = c.oid) as comments
    from views v join pg_catalog.pg_class c on c.oid = v.oid
    group by c.oid
    -- What stands on another view goes before it, and comes after it.
    order by max(v.depth) desc, c.oid
  loop
    execute format('drop view %s', own.name);
    later := array[
        own.made,
        format('alter view %s owner to %I', own.name, own.owner),
        format('select ${plan}.restore_grants(%L, %L)', own.name, own.relacl)]
      || own.comments || later;
  end loop;
  return later;
end`,
    'plpgsql',
  );
}

function swapRules(plan: string): string {
  return routine(
    `${plan}.swap_rules()`,
    'text[]',
    'Part of the swap: drops triggers and statistics that name these columns, and returns what makes them again; policies are made again in place.',
    `declare
  own record;
  later text[] := '{}';
begin
  for own in
    select distinct t.oid, t.tgname as name, t.tgrelid::pg_catalog.regclass::text as relation, t.tgenabled as enabled,
      pg_catalog.pg_get_triggerdef(t.oid) as made, pg_catalog.obj_description(t.oid, 'pg_trigger') as comment
    from ${plan}.twins() w
    join pg_catalog.pg_attribute a on a.attrelid = w.relation::pg_catalog.regclass and a.attname = w.former
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
    join pg_catalog.pg_trigger t on d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass and t.oid = d.objid and not t.tgisinternal
    order by t.oid
  loop
    execute format('drop trigger %I on %s', own.name, own.relation);
    later := later || own.made;
    if own.enabled <> 'O' then
      later := later || format('alter table %s %s trigger %I', own.relation,
        case own.enabled when 'D' then 'disable' when 'R' then 'enable replica' else 'enable always' end, own.name);
    end if;
    if own.comment is not null then
      later := later || format('comment on trigger %I on %s is %L', own.name, own.relation, own.comment);
    end if;
  end loop;
  for own in
    select distinct s.oid, format('%I.%I', n.nspname, s.stxname) as name, pg_catalog.pg_get_statisticsobjdef(s.oid) as made,
      pg_catalog.pg_get_userbyid(s.stxowner) as owner, pg_catalog.obj_description(s.oid, 'pg_statistic_ext') as comment
    from ${plan}.twins() w
    join pg_catalog.pg_attribute a on a.attrelid = w.relation::pg_catalog.regclass and a.attname = w.former
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
    join pg_catalog.pg_statistic_ext s on d.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass and s.oid = d.objid
    join pg_catalog.pg_namespace n on n.oid = s.stxnamespace
    order by s.oid
  loop
    execute format('drop statistics %s', own.name);
    later := later || own.made || format('alter statistics %s owner to %I', own.name, own.owner);
    if own.comment is not null then
      later := later || format('comment on statistics %s is %L', own.name, own.comment);
    end if;
  end loop;
  for own in
    select distinct y.oid, format('alter policy %I on %s%s%s', y.polname, y.polrelid::pg_catalog.regclass,
      ' using (' || pg_catalog.pg_get_expr(y.polqual, y.polrelid) || ')', ' with check (' || pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid) || ')') as made
    from ${plan}.twins() w
    join pg_catalog.pg_attribute a on a.attrelid = w.relation::pg_catalog.regclass and a.attname = w.former
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
    join pg_catalog.pg_policy y on d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass and y.oid = d.objid
    order by y.oid
  loop
    later := later || own.made;
  end loop;
  return later;
end`,
    'plpgsql',
  );
}

function swapConstraints(plan: string): string {
  return routine(
    `${plan}.swap_constraints()`,
    'text[]',
    'Part of the swap: drops the checks and foreign keys in which these columns are, and returns what makes them again, not valid: no row is read.',
    `declare
  own record;
  later text[] := '{}';
begin
  for own in
    select c.oid, c.conname as name, k.relation, k.definition, pg_catalog.obj_description(c.oid, 'pg_constraint') as comment
    from ${plan}.constraints() k
    join pg_catalog.pg_constraint c on c.conrelid = k.relation::pg_catalog.regclass and c.conname = k.name
    order by c.contype, c.oid
  loop
    execute format('alter table %s drop constraint %I', own.relation, own.name);
    later := later || format('alter table %s add constraint %I %s%s', own.relation, own.name, own.definition,
      case when own.definition like '% NOT VALID' then '' else ' not valid' end);
    if own.comment is not null then
      later := later || format('comment on constraint %I on %s is %L', own.name, own.relation, own.comment);
    end if;
  end loop;
  return later;
end`,
    'plpgsql',
  );
}

function swapIndexes(plan: string): string {
  return routine(
    `${plan}.swap_indexes()`,
    'text[]',
    'Part of the swap: drops the indexes in which these columns are, and returns what gives their names and tasks to those on the twins.',
    `declare
  own record;
  later text[] := '{}';
begin
  for own in
    select k.relation, k.index, k.twin, x.indisreplident as identifies, x.indisclustered as clusters, o.relname as name, t.relname as twin_name,
      c.conname as constrains, case c.contype when 'p' then 'primary key' else 'unique' end as kind,
      pg_catalog.obj_description(c.oid, 'pg_constraint') as constraint_comment, pg_catalog.obj_description(o.oid, 'pg_class') as comment
    from ${plan}.indexes() k
    join pg_catalog.pg_index x on x.indexrelid = k.index::pg_catalog.regclass
    join pg_catalog.pg_class o on o.oid = x.indexrelid
    join pg_catalog.pg_class t on t.oid = k.twin::pg_catalog.regclass
    left join pg_catalog.pg_constraint c on c.conindid = x.indexrelid and c.contype in ('p', 'u')
    order by o.oid
  loop
    if own.constrains is null then
      execute format('drop index %s', own.index);
      later := later || format('alter index %s rename to %I', own.twin, own.name);
    else
      execute format('alter table %s drop constraint %I', own.relation, own.constrains);
      later := later || format('alter table %s add constraint %I %s using index %I', own.relation, own.constrains, own.kind, own.twin_name);
      if own.constraint_comment is not null then
        later := later || format('comment on constraint %I on %s is %L', own.constrains, own.relation, own.constraint_comment);
      end if;
    end if;
    if own.comment is not null then
      later := later || format('comment on index %s is %L', own.index, own.comment);
    end if;
    if own.identifies then
      later := later || format('alter table %s replica identity using index %I', own.relation, own.name);
    end if;
    if own.clusters then
      later := later || format('alter table %s cluster on %I', own.relation, own.name);
    end if;
  end loop;
  return later;
end`,
    'plpgsql',
  );
}

function swapColumns(plan: string): string {
  return routine(
    `${plan}.swap_columns()`,
    'void',
    'Part of the swap: default, identity, sequence, not null, comment, grants and statistics target of each column go to its twin, and the two change names.',
    `declare
  own record;
  grown record;
  sequence text;
  shape record;
  place record;
begin
  for own in
    select w.*, a.attnotnull as required, a.attidentity as identity, a.attacl as grants, a.attstattarget as target, a.attoptions as options,
      pg_catalog.pg_get_expr(d.adbin, d.adrelid) as preset, d.oid as preset_oid, pg_catalog.col_description(a.attrelid, a.attnum) as comment
    from ${plan}.twins() w
    join pg_catalog.pg_attribute a on a.attrelid = w.relation::pg_catalog.regclass and a.attname = w.former
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    order by a.attrelid, a.attnum
  loop
    sequence := pg_catalog.pg_get_serial_sequence(own.relation, own.former);
    -- From here on nobody takes a number.
    for grown in
      select s.oid::pg_catalog.regclass::text as name
      from pg_catalog.pg_class s join pg_catalog.pg_sequence q on q.seqrelid = s.oid
      where q.seqtypid <> 'bigint'::pg_catalog.regtype and (s.oid = pg_catalog.to_regclass(sequence) or exists (
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = own.preset_oid
          and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = s.oid))
    loop
      execute format('alter sequence %s as bigint', grown.name);
    end loop;
    if own.identity <> '' then
      execute format('alter sequence %s cache %s', sequence, (select q.seqcache from pg_catalog.pg_sequence q where q.seqrelid = sequence::pg_catalog.regclass));
      select q.*, c.relacl as grants, pg_catalog.obj_description(c.oid, 'pg_class') as comment into shape
      from pg_catalog.pg_sequence q join pg_catalog.pg_class c on c.oid = q.seqrelid where q.seqrelid = sequence::pg_catalog.regclass;
      execute format('select s.last_value, s.is_called from %s s', sequence) into place;
      execute format('alter table %s alter column %I drop identity', own.relation, own.former);
    end if;
    execute format('alter table %s alter column %I drop default, alter column %2$I drop not null', own.relation, own.former);
    perform imago.forget_added('${plan}', own.relation, own.twin);
    execute format('alter table %s rename column %I to %I', own.relation, own.former, own.aside);
    execute format('alter table %s rename column %I to %I', own.relation, own.twin, own.former);
    if own.required then
      execute format('alter table %s alter column %I set not null', own.relation, own.former);
    end if;
    if own.identity <> '' then
      execute format('alter table %s alter column %I add generated %s as identity (sequence name %s start %s increment %s minvalue %s maxvalue %s cache %s %s)',
        own.relation, own.former, case own.identity when 'a' then 'always' else 'by default' end, sequence,
        shape.seqstart, shape.seqincrement, shape.seqmin, shape.seqmax, shape.seqcache, case when shape.seqcycle then 'cycle' else 'no cycle' end);
      perform pg_catalog.setval(sequence::pg_catalog.regclass, place.last_value, place.is_called);
      perform ${plan}.restore_grants(sequence::pg_catalog.regclass, shape.grants);
      if shape.comment is not null then
        execute format('comment on sequence %s is %L', sequence, shape.comment);
      end if;
    elsif own.preset is not null then
      execute format('alter table %s alter column %I set default %s', own.relation, own.former, own.preset);
    end if;
    if own.identity = '' and sequence is not null then
      execute format('alter sequence %s owned by %s.%I', sequence, own.relation, own.former);
    end if;
    if own.comment is not null then
      execute format('comment on column %s.%I is %L', own.relation, own.former, own.comment);
    end if;
    if coalesce(own.target, -1) >= 0 then
      execute format('alter table %s alter column %I set statistics %s', own.relation, own.former, own.target);
    end if;
    if own.options is not null then
      execute format('alter table %s alter column %I set (%s)', own.relation, own.former, array_to_string(own.options, ', '));
    end if;
    for grown in
      select g.privilege_type as privilege, g.is_grantable as passes, case g.grantee when 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end as role
      from pg_catalog.aclexplode(own.grants) g
    loop
      execute format('grant %s (%I) on %s to %s%s', grown.privilege, own.former, own.relation, grown.role, case when grown.passes then ' with grant option' else '' end);
    end loop;
  end loop;
  -- They have proved that the twins hold what the columns hold, and that none is null where none may be.
  for own in select distinct w.relation from ${plan}.twins() w order by 1 loop
    execute format('alter table %s drop constraint if exists ${equality(plan)}', own.relation);
  end loop;
end`,
    'plpgsql',
  );
}
