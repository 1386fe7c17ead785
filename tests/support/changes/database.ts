/** What the database itself can differ in. */
import { type Change, changed } from './change.ts';

/** As versions write them that call it by this name. */
export function changesOfDatabase(name: string): Change[] {
  const change = (aspects: string, sql: string, before = '') =>
    changed('database itself', aspects, before, sql);
  const database = `database "${name}"`;
  return [
    change('setting statement_timeout', `alter ${database} set statement_timeout to '70s'`),
    change('setting search_path', `alter ${database} set search_path to "$user", public, ''`),
    change(
      'setting pgrst.db_root_spec',
      `alter ${database} set pgrst.db_root_spec to '100%s of $$it''s\\$$'`,
      `alter ${database} set pgrst.db_root_spec to 'less';`,
    ),
    change(
      'setting work_mem',
      `alter ${database} reset work_mem`,
      `alter ${database} set work_mem to '5MB';`,
    ),
    change('setting work_mem of role anon', `alter role anon in ${database} set work_mem to '6MB'`),
    change('grants to public', `revoke connect on ${database} from public`),
    change(
      'grants to service_role',
      `grant create, temporary on ${database} to service_role with grant option`,
    ),
    change(
      'grants to anon',
      `revoke create on ${database} from anon`,
      `grant create on ${database} to anon;`,
    ),
    change('revoked from its owner', `revoke temporary on ${database} from postgres`),
    change('comment', `comment on ${database} is 'Where it is all kept: 100%'`),
    change('connection limit', `alter ${database} connection limit 90`),
    change('template', `alter ${database} is_template true`),
    change(
      'setting random_page_cost',
      `do $$ begin execute format('alter database %I set random_page_cost to 1.5', current_database()); end $$`,
    ),
  ];
}

/** Only one of these and the others can be written: who does not own a database revokes nothing from its owner. */
export function newOwner(name: string): Change {
  return changed('database itself', 'owned by', '', `alter database "${name}" owner to service_role`);
}

/** Who may make labels is the server's. */
export function labelOfDatabase(name: string): Change {
  return changed(
    'database itself',
    'security label of here',
    'set local allow_system_table_mods = on;',
    `insert into pg_catalog.pg_shseclabel
      select oid, 'pg_catalog.pg_database'::regclass, 'here', 'secret' from pg_catalog.pg_database where datname = '${name}'`,
  );
}
