/** Small random schemas with a version, its way back, and rows. */

/** SQL of one case. Everything is in the schema `s`. */
export interface RandomVersion {
  /** What is there before the version. */
  base: string;
  /** Rows of that, tried one by one. */
  rows: string[];
  up: string;
  down: string;
  /** What people write at the version, tried one by one. */
  writes: string[];
  /** What people write while the version is taken back, tried one by one. */
  meanwhile: string[];
  /** Whether the version itself writes rows or values. */
  brings: boolean;
}

interface Column {
  name: string;
  type: Type;
  /** No value is to be given. */
  filled?: boolean;
  refers?: Table;
}

interface Table {
  name: string;
  isNew: boolean;
  key: Column[];
  columns: Column[];
}

type Type = keyof typeof values;
type Draw = () => number;

const values = {
  int: (draw: Draw) => String(between(draw, 0, 6)),
  text: (draw: Draw) => `'${pick(draw, ['a', 'b', 'c; d', "it''s", ''])}'`,
  boolean: (draw: Draw) => pick(draw, ['true', 'false']),
  numeric: (draw: Draw) => `${between(draw, 0, 9)}.${between(draw, 0, 9)}`,
  timestamptz: (draw: Draw) => `'2026-01-0${between(draw, 1, 9)} 10:00:00.123456+02'`,
  'int[]': (draw: Draw) => `'{${between(draw, 0, 3)},NULL}'`,
  jsonb: (draw: Draw) => `'{"a": ${between(draw, 0, 3)}}'`,
  's.mood': (draw: Draw) => `'${pick(draw, ['happy', 'sad'])}'`,
  's.positive': (draw: Draw) => String(between(draw, 1, 9)),
  's."New; mood"': (draw: Draw) => `'${pick(draw, ['x', 'y'])}'`,
  int4range: (draw: Draw) => {
    const low = between(draw, 0, 5);
    return `'[${low},${low + between(draw, 0, 2)})'`;
  },
  's.code': (draw: Draw) => `'${pick(draw, ['x', 'y', ''])}'`,
  's.pair': (draw: Draw) => `'(${between(draw, 0, 3)},"b c")'`,
} as const;

const oldTypes: Type[] = [
  'int',
  'text',
  'boolean',
  'numeric',
  'timestamptz',
  'int[]',
  'jsonb',
  's.mood',
  's.positive',
];
const newTypes: Type[] = [...oldTypes, 's."New; mood"', 's.pair', 's.code'];

function between(draw: Draw, from: number, to: number): number {
  return from + Math.floor(draw() * (to - from + 1));
}

function pick<T>(draw: Draw, list: readonly T[]): T {
  return list[Math.floor(draw() * list.length)] as T;
}

export function randomVersion(draw: Draw): RandomVersion {
  const chance = (share: number) => draw() < share;
  const up: string[] = [];
  const late: string[] = [];
  const down: string[] = [];
  let brings = false;

  const base = [
    'create schema s',
    "create type s.mood as enum ('happy', 'sad')",
    'create domain s.positive as int check (value > 0)',
    'create sequence s.source',
    "create function s.draw() returns int language sql as $$ select nextval('s.source')::int $$",
  ];
  const old = Array.from({ length: between(draw, 1, 3) }, (_, index) => {
    const table = newTable(draw, `old${index}`, false, oldTypes);
    base.push(table.sql);
    return table.table;
  });
  up.push(
    `create type s."New; mood" as enum ('x', 'y')`,
    'create type s.pair as (n int, t text)',
    "create domain s.code as text not null check (value <> 'bad')",
  );
  down.unshift('drop type s."New; mood"', 'drop type s.pair', 'drop domain s.code');

  const made: Table[] = [];
  for (let index = between(draw, 0, 3); index > 0; index -= 1) {
    const { table, sql, isPartitioned } = newTable(
      draw,
      chance(0.1) ? `"New; ${index}"` : `new${index}`,
      true,
      newTypes,
    );
    up.push(sql);
    down.unshift(`drop table s.${table.name} cascade`);
    made.push(table);
    if (isPartitioned) {
      up.push(
        `create table s.low${index} partition of s.${table.name} for values from (minvalue) to (3)`,
        `create table s.rest${index} partition of s.${table.name} default`,
      );
    } else if (chance(0.15)) {
      const child: Table = {
        ...table,
        name: `child${index}`,
        key: [],
        columns: [...table.key, ...table.columns],
      };
      up.push(`create table s.${child.name} (more int) inherits (s.${table.name})`);
      made.push(child);
    }
    if (chance(0.2))
      up.push(`alter table s.${table.name} enable row level security, force row level security`);
  }

  // Columns of tables that were there.
  let number = 0;
  for (const table of old.filter(({ key }) => key.length > 0 || chance(0.3))) {
    const added: string[] = [];
    const names: string[] = [];
    for (let count = between(draw, 0, 3); count > 0; count -= 1) {
      number += 1;
      const column: Column = {
        name: chance(0.2) ? `"Add; ${number}"` : `add${number}`,
        type: pick(draw, newTypes),
      };
      added.push(`add column ${column.name} ${addedColumn(draw, column, names)}`);
      names.push(column.name);
      table.columns.push(column);
    }
    const [first, second] = table.columns.slice(-2);
    if (names.length >= 2 && first && second && chance(0.4)) {
      added.push(
        `add constraint both_${table.name} check ((${first.name} is null) = (${second.name} is null) or ${second.name} is not null)`,
      );
    }
    if (names.length >= 2 && first && second && chance(0.2) && !/json|pair/.test(first.type + second.type)) {
      added.push(`add constraint unique_${table.name} unique (${first.name}, ${second.name})`);
    }
    const range = table.columns.find(({ name, type }) => names.includes(name) && type === 'int4range');
    if (range && chance(0.6)) added.push(`add exclude using gist (${range.name} with &&)`);
    if (chance(0.1) && table.columns.some(({ name, type }) => name === 'c1' && type === 'int')) {
      added.push(`add constraint "Not; valid" check (c1 > 2) not valid`);
      down.unshift(`alter table s.${table.name} drop constraint "Not; valid"`);
    }
    if (added.length === 0) continue;
    if (chance(0.5)) up.push(`alter table s.${table.name} ${added.join(', ')}`);
    else up.push(...added.map((action) => `alter table s.${table.name} ${action}`));
    for (const name of names) down.unshift(`alter table s.${table.name} drop column ${name} cascade`);
  }

  // References in all directions.
  const all = [...old, ...made];
  for (let index = between(draw, 0, 4); index > 0; index -= 1) {
    const target = pick(
      draw,
      all.filter(({ key }) => key.length > 0).length > 0 ? all.filter(({ key }) => key.length > 0) : all,
    );
    const table = pick(
      draw,
      all.filter((candidate) => candidate.isNew || candidate.key.length > 0),
    );
    if (!table || target.key.length === 0) continue;
    const columns = target.key.map(({ type }, place) => ({
      name: `ref${index}_${place}`,
      type,
      refers: target,
    }));
    const names = columns.map(({ name }) => name).join(', ');
    const isFull = columns.length > 1 && chance(0.5);
    up.push(
      `alter table s.${table.name} ${columns.map(({ name, type }) => `add column ${name} ${type}`).join(', ')}`,
    );
    const how = [
      isFull ? 'match full' : '',
      pick(draw, ['', '', 'on delete cascade', 'on delete set null', 'on update cascade']),
      pick(draw, ['', '', 'deferrable initially deferred', 'deferrable']),
    ];
    late.push(
      `alter table s.${table.name} add constraint "Ref; ${index}" foreign key (${names}) references s.${target.name} (${target.key.map(({ name }) => name).join(', ')}) ${how.join(' ')}`,
    );
    down.unshift(`alter table s.${table.name} drop constraint "Ref; ${index}"`);
    if (!table.isNew) down.push(...[]);
    if (!table.isNew)
      for (const { name } of columns)
        down.push(`alter table if exists s.${table.name} drop column if exists ${name} cascade`);
    table.columns.push(...columns);
    for (const child of made.filter(
      ({ name }) => name === table.name.replace('new', 'child') && name !== table.name,
    ))
      child.columns.push(...columns);
  }

  // What the version writes by itself.
  for (const table of made.filter(({ name }) => !name.startsWith('child') && chance(0.25))) {
    const source = pick(draw, old);
    const filled = [...table.key, ...table.columns].filter((column) => !column.filled && !column.refers);
    if (filled.length === 0) continue;
    const from = [...source.key, ...source.columns.slice(0, 1)];
    const list = filled.map((column) => {
      const same = from.find(({ type, name }) => type === column.type && !name.includes('dd'));
      return same
        ? `coalesce(${same.name}, ${values[column.type](draw)})`
        : `${values[column.type](draw)}::${column.type}`;
    });
    up.push(
      `insert into s.${table.name} (${filled.map(({ name }) => name).join(', ')}) overriding system value select ${list.join(', ')} from s.${source.name} on conflict do nothing`,
    );
    brings = true;
  }
  for (const table of old.filter(() => chance(0.2))) {
    const column = table.columns.at(-1);
    // Where values must differ, one for several rows would refuse the version itself.
    if (up.some((statement) => statement.includes(`s.${table.name} `) && /unique|exclude/.test(statement)))
      continue;
    if (!column || column.refers || column.filled || !/^"?[Aa]dd/.test(column.name)) continue;
    up.push(
      `update s.${table.name} set ${column.name} = ${values[column.type](draw)} where ${column.name} is null`,
    );
    brings = true;
  }
  // What there was before, written over there and back.
  for (const table of old.filter(() => chance(0.2))) {
    const column = table.columns.find(({ name }) => /^c[12]$/.test(name));
    if (!column || base.some((text) => text.includes(`s.${table.name} `) && text.includes('unique')))
      continue;
    const write = () =>
      `update s.${table.name} set ${column.name} = ${values[column.type](draw)} where ${column.name} is not null`;
    if (chance(0.7)) up.push(write());
    if (chance(0.7)) down.push(write());
    brings = true;
  }
  up.push(...late);

  // What stands on tables.
  if (chance(0.3)) {
    up.push(
      `create function s.spoil() returns trigger language plpgsql as $$ begin if tg_op = 'DELETE' then return old; end if; raise exception 'a trigger has fired'; end $$`,
    );
    const table = pick(draw, [...made, ...old]);
    up.push(
      `create trigger spoil before insert or update on s.${table.name} for each row when (current_setting('s.quiet', true) is distinct from 'yes') execute function s.spoil()`,
    );
    down.unshift(`drop trigger if exists spoil on s.${table.name}`);
    down.push('drop function s.spoil()');
  }
  if (chance(0.2)) {
    const table = pick(draw, old);
    const list = [...table.key, ...table.columns.filter(({ name }) => name.startsWith('c'))];
    up.push(
      `create table s.copied as select ${list.map(({ name }) => name).join(', ') || '1 as c1'} from s.${table.name}`,
    );
    down.unshift('drop table s.copied');
    if (list.length > 0)
      all.push({
        name: 'copied',
        isNew: true,
        key: [],
        columns: list.map((column) => ({ ...column, filled: false })),
      });
    brings = true;
  }
  if (made.length > 0 && chance(0.3)) {
    const table = pick(draw, made);
    up.push(
      `create materialized view s.first as select count(*) as rows from s.${table.name}`,
      'create materialized view s.second as select rows + 1 as more from s.first',
    );
    down.unshift('drop materialized view s.second', 'drop materialized view s.first');
  }
  if (chance(0.15)) {
    const table = old.find(({ key }) => key.length > 0);
    if (table) {
      up.push(`create view s.seen as select * from s.${table.name}`);
      down.unshift('drop view s.seen');
    }
  }

  const oldNow = old.map((table) => ({
    ...table,
    columns: table.columns.filter(({ name }) => name.startsWith('c')),
  }));
  const several = (count: number, make: () => string) => Array.from({ length: count }, make);
  return {
    base: base.join(';\n'),
    rows: chance(0.8) ? several(between(draw, 0, 12), () => insertInto(draw, pick(draw, oldNow))) : [],
    up: up.join(';\n'),
    down: [
      ...down.filter((statement) => !/^drop (type|domain)/.test(statement)),
      ...down.filter((statement) => /^drop (type|domain)/.test(statement)),
    ].join(';\n'),
    writes: several(between(draw, 5, 40), () => randomWrite(draw, all)),
    meanwhile: chance(0.4) ? several(between(draw, 1, 6), () => randomWrite(draw, oldNow)) : [],
    brings,
  };
}

function newTable(
  draw: Draw,
  name: string,
  isNew: boolean,
  types: readonly Type[],
): { table: Table; sql: string; isPartitioned: boolean } {
  const kind = pick(draw, [
    'int',
    'int',
    'composite',
    'identity',
    'always',
    'serial',
    'unique',
    'none',
    ...(isNew ? ['none', 'partitioned', 'partitioned without'] : []),
  ]);
  const parts: string[] = [];
  const key: Column[] = [];
  const columns: Column[] = [];
  let tail = '';
  if (kind === 'composite') {
    key.push({ name: 'k', type: 'int' }, { name: '"K 2"', type: 'text' });
    parts.push('k int', '"K 2" text', 'primary key (k, "K 2")');
  } else if (kind === 'unique') {
    key.push({ name: 'k', type: 'text' });
    parts.push('k text not null unique');
  } else if (kind === 'partitioned') {
    key.push({ name: 'k', type: 'int' });
    parts.push('k int primary key');
    tail = ' partition by range (k)';
  } else if (kind === 'partitioned without') {
    columns.push({ name: 'k', type: 'int' });
    parts.push('k int');
    tail = ' partition by range (k)';
  } else if (kind !== 'none') {
    key.push({ name: 'k', type: 'int', filled: kind !== 'int' });
    parts.push(
      {
        int: 'k int primary key',
        identity: 'k int generated by default as identity primary key',
        always: 'k int generated always as identity primary key',
        serial: 'k serial primary key',
      }[kind] ?? '',
    );
  }
  for (let index = between(draw, kind === 'none' ? 1 : 0, 3); index > 0; index -= 1) {
    const column: Column = { name: `c${index}`, type: pick(draw, types) };
    const extra = pick(draw, ['', '', '', ' not null', ` default ${values[column.type](draw)}`]);
    parts.push(`c${index} ${column.type}${extra}`);
    columns.push(column);
  }
  if (draw() < 0.2) parts.push(`c9 uuid default gen_random_uuid()`);
  if (draw() < 0.15 && columns.some(({ type, name }) => type === 'int' && name !== 'k')) {
    const from = columns.find(({ type, name }) => type === 'int' && name !== 'k')?.name;
    parts.push(`g int generated always as (${from} * 2) stored`);
  }
  if (
    draw() < 0.15 &&
    columns.some(({ name }) => name === 'c1') &&
    !tail &&
    !/json|pair/.test(columns.at(-1)?.type ?? '')
  )
    parts.push(`unique (${columns.at(-1)?.name})`);
  return {
    table: { name, isNew, key, columns },
    sql: `create table s.${name} (${parts.join(', ')})${tail}`,
    isPartitioned: tail !== '',
  };
}

/** Type and demands of a column that a version adds. */
function addedColumn(draw: Draw, column: Column, before: readonly string[]): string {
  const kind = pick(draw, [
    'plain',
    'plain',
    'default',
    'required',
    'demanded',
    'unique',
    'identity',
    'always',
    'serial',
    'clock',
    'check',
    'uuid',
    'generated',
  ]);
  const value = values[column.type](draw);
  switch (kind) {
    case 'default':
      return `${column.type} default ${value}`;
    case 'required':
      return `${column.type} not null default ${value}`;
    case 'demanded':
      return `${column.type} not null`;
    case 'unique':
      column.type = 'int';
      return 'int unique';
    case 'identity':
    case 'always':
      column.type = 'int';
      column.filled = true;
      return `int generated ${kind === 'always' ? 'always' : 'by default'} as identity${draw() < 0.5 ? ' unique' : ''}`;
    case 'serial':
      column.type = 'int';
      column.filled = true;
      return 'serial';
    case 'clock':
      column.type = 'timestamptz';
      return 'timestamptz not null default clock_timestamp()';
    case 'uuid':
      column.type = 'text';
      return 'text default gen_random_uuid()';
    case 'check':
      column.type = 'int';
      return before.length > 0
        ? `int check (${column.name} is null or ${column.name} < 5)`
        : `int constraint "Always; ${column.name.replaceAll('"', '')}" check (${column.name} > -1)`;
    case 'function':
      column.type = 'int';
      return 'int default s.draw()';
    case 'range':
      column.type = 'int4range';
      return `int4range${draw() < 0.5 ? ' unique deferrable' : ''}`;
    default:
      return column.type;
  }
}

function insertInto(draw: Draw, table: Table): string {
  const given = [...table.key, ...table.columns]
    .filter(({ filled }) => !filled || draw() < 0.1)
    .filter(() => draw() < 0.85);
  if (given.length === 0) return `insert into s.${table.name} default values`;
  const list = given.map((column) => valueFor(draw, column));
  return `insert into s.${table.name} (${given.map(({ name }) => name).join(', ')}) values (${list.join(', ')})`;
}

function valueFor(draw: Draw, { type, refers }: Column): string {
  if (draw() < (refers ? 0.3 : 0.15)) return 'null';
  return values[type](draw);
}

function randomWrite(draw: Draw, tables: readonly Table[]): string {
  const table = pick(draw, tables);
  const kind = draw();
  const columns = [...table.key, ...table.columns];
  if (kind < 0.5 || columns.length === 0) return insertInto(draw, table);
  const place =
    `where ctid in (select ctid from only s.${table.name} order by random_place limit ${between(draw, 1, 3)})`.replace(
      'random_place',
      `md5(ctid::text || '${between(draw, 0, 99)}')`,
    );
  if (kind > 0.9) return `delete from only s.${table.name} ${place}`;
  const changed = columns.filter(() => draw() < 0.5);
  const some = changed.length > 0 ? changed : columns.slice(-1);
  return `update only s.${table.name} set ${some.map((column) => `${column.name} = ${valueFor(draw, column)}`).join(', ')} ${place}`;
}
