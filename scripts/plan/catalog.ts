/** What the catalog says against a plan: objects without a comment, functions without an empty search path, open doors. */
import type { Sql } from 'postgres';
import { error, type Finding } from './finding.ts';

/** Looks at the plan's schema, as it is now: before preparing, the views are not there yet. */
export async function carelessness(sql: Sql, plan: string): Promise<Finding[]> {
  const objects = await sql<
    { kind: string; name: string; described: boolean; fixed: boolean; open: string[] }[]
  >`
    with roles as (
      select unnest(array['anon', 'authenticated']) as role
    )
    select 'schema' as kind, n.nspname as name, obj_description(n.oid, 'pg_namespace') is not null as described, true as fixed,
      array(select role from roles where has_schema_privilege(role, n.oid, 'usage')) as open
    from pg_namespace n where n.nspname = ${plan}
    union all
    select 'function', p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc') is not null,
      -- An expression that is to be inlined can have no settings, and looks nothing up.
      coalesce('search_path=""' = any (p.proconfig), false) or p.provolatile = 'i' and l.lanname = 'sql',
      array(select role from roles where has_function_privilege(role, p.oid, 'execute'))
    from pg_proc p join pg_language l on l.oid = p.prolang where p.pronamespace = to_regnamespace(${plan})
    union all
    select case c.relkind when 'v' then 'view' else 'table' end, c.oid::regclass::text, obj_description(c.oid, 'pg_class') is not null, true,
      array(select role from roles where has_table_privilege(role, c.oid, 'select'))
    from pg_class c where c.relnamespace = to_regnamespace(${plan}) and c.relkind in ('r', 'p', 'v', 'm')
    order by 1, 2`;
  return objects.flatMap(({ kind, name, described, fixed, open }) => [
    ...(described
      ? []
      : [error('comment', `${kind} ${name} has no comment`, `comment on ${kind} ${name} is '…';`)]),
    ...(fixed
      ? []
      : [
          error(
            'rights',
            `${kind} ${name} has no empty search_path`,
            `Write set search_path = '' and every name with its schema: it runs with the rights of its owner.`,
          ),
        ]),
    ...(open.length === 0
      ? []
      : [
          error(
            'rights',
            `${open.join(' and ')} may use ${kind} ${name}`,
            kind === 'function'
              ? `End registration.sql with: select imago.revoke_plan_functions('${plan}');`
              : `revoke all on ${kind === 'schema' ? 'schema ' : ''}${name} from public, anon, authenticated;`,
          ),
        ]),
  ]);
}
