/** What a kind of ready-made plan is, and what it is told on the command line. */
import type { Sql } from 'postgres';
import { columnProblem } from '../plan-name.ts';
import { Problem } from '../problem.ts';
import { type Column, plainName, type Source } from '../source.ts';
import type { Files } from '../template.ts';
import type { Mirror } from './mirror.ts';

/** Options of `imago plan new --kind`, as typed. */
export interface KindOptions {
  column?: string | undefined;
  type?: string | undefined;
  value?: string | undefined;
  to?: string | undefined;
  into?: readonly string[] | undefined;
  back?: readonly string[] | undefined;
  enum?: string | undefined;
  labels?: string | undefined;
  fields?: string | undefined;
  references?: string | undefined;
  orphans?: string | undefined;
  placeholder?: string | undefined;
  columns?: string | undefined;
  grants?: string | undefined;
  keep?: string | undefined;
  by?: string | undefined;
}

export type OptionName = keyof KindOptions;

/** What a kind makes its plan from. */
export interface Given {
  plan: string;
  source: Source;
  options: KindOptions;
  /** Looks things up in the database; changes nothing. */
  sql: Sql;
}

/** What a kind makes: columns that mirror others, or a plan of its own. */
export type Making =
  | { mirror(given: Given): Promise<Mirror> }
  | {
      /** The files, and the table as its made-up rows take it. */
      files(given: Given): Promise<{ source: Source; files: Files }>;
    };

export type Kind = Making & {
  /** One line for `--help`. */
  about: string;
  needs: readonly OptionName[];
  may?: readonly OptionName[];
  /** --column is the key as well: --key may be left out. */
  walksByColumn?: true;
  /** Why it walks by one column only, where that is not since other tables name its rows by it. */
  oneColumn?: string;
};

/** An option that the command line has been seen to have. */
export function option(
  options: KindOptions,
  name: 'column' | 'type' | 'value' | 'to' | 'enum' | 'fields' | 'references' | 'columns' | 'keep' | 'by',
): string {
  return options[name] ?? '';
}

/** A column of the table, by its name. */
export function columnOf(source: Source, name: string, flag: OptionName): Column {
  const found = source.columns.find((column) => column.name === name);
  if (!found) {
    const names = source.columns.map((column) => column.name).join(', ');
    throw new Problem(
      'no-column',
      `--${flag}: ${source.relation} has no column ${name}.`,
      `It has: ${names}.`,
    );
  }
  const isKey =
    source.keys.some((key) => key.name === found.name) || source.primaryKey.includes(found.quoted);
  if (found.generated || found.numbered || isKey) {
    const what = isKey ? 'the key' : found.generated ? 'a generated column' : 'numbered by a sequence';
    throw new Problem(
      'no-column',
      `--${flag}: ${source.relation}.${name} is ${what}.`,
      'The plan needs a column that your app writes and that names no row.',
    );
  }
  return found;
}

/** Columns of the table, by their names in a list. */
export function columnsOf(source: Source, list: string, flag: OptionName): Column[] {
  const names = list.split(',').map((name) => name.trim());
  const twice = names.find((name, n) => names.indexOf(name) < n);
  if (twice !== undefined)
    throw new Problem('bad-value', `--${flag} names ${twice} twice.`, 'Name each column once.');
  return names.map((name) => columnOf(source, name, flag));
}

/** Names as SQL writes them. */
export async function quoted(sql: Sql, names: readonly string[]): Promise<string[]> {
  const [row] = await sql<[{ names: string[] }]>`
    select array(select quote_ident(n) from unnest(${[...names]}::text[]) with ordinality u(n, i) order by i) as names`;
  return row.names;
}

/** A type as PostgreSQL writes it. */
export async function typeOf(sql: Sql, type: string): Promise<string> {
  try {
    const [described] = await readOnly(sql, (tx) =>
      tx.unsafe(`select null::${type} as value`).describe(),
    ).then(({ columns }) => columns);
    if (!described) throw new Error('no column');
    return type;
  } catch (cause) {
    throw new Problem(
      'bad-value',
      `--type: ${type} is no type (${(cause as Error).message}).`,
      'Write it as in create table.',
      {
        cause,
      },
    );
  }
}

/** Refuses expressions that do not fit the table with the columns that the plan adds. */
export async function expectFitting(
  { sql, source }: Given,
  added: readonly { quoted: string; type: string }[],
  expressions: readonly { flag: string; sql: string }[],
): Promise<void> {
  const columns = ['s.*', ...added.map(({ quoted: name, type }) => `null::${type} as ${name}`)].join(', ');
  for (const { flag, sql: expression } of expressions) {
    try {
      // The plan's functions are quoted by it.
      if (expression.includes('$$')) throw new Error('it has two dollar signs in a row');
      await readOnly(sql, (tx) =>
        tx
          .unsafe(`select (${expression}) from (select ${columns} from ${source.relation} s) s limit 0`)
          .describe(),
      );
    } catch (cause) {
      throw new Problem(
        'bad-value',
        `${flag}: ${expression} cannot be asked of ${source.relation} (${(cause as Error).message}).`,
        'In it the row is called s: lower(s.name).',
        { cause },
      );
    }
  }
}

async function readOnly<T>(sql: Sql, work: (tx: Sql) => Promise<T>): Promise<T> {
  return (await sql.begin('read only', (tx) => work(tx as unknown as Sql))) as T;
}

/** `name=expression`, or with a type `name:type=expression`. */
export function assignment(
  flag: string,
  typed: string,
): { name: string; type: string | undefined; value: string } {
  const [, name, type, value] = /^([^:=]+?)\s*(?::\s*([^=]+?))?\s*=\s*(.+)$/s.exec(typed) ?? [];
  if (!name || !value) {
    throw new Problem(
      'bad-value',
      `--${flag}: ${typed} is no assignment.`,
      `Write --${flag} "name=expression".`,
    );
  }
  return { name, type, value };
}

/** Refuses names of new columns that no column can have, that the table has already, or that are there twice. */
export function expectNew(source: Source, flag: string, ...names: readonly string[]): void {
  for (const [n, name] of names.entries()) {
    const problem =
      plainName.test(name) && Buffer.byteLength(name) <= 63
        ? columnProblem(name)
        : 'It is longer than 63 bytes, or no plain name.';
    if (problem !== undefined) {
      throw new Problem(
        'bad-name',
        `${flag}: ${name} cannot be the name of a column. ${problem}`,
        'Take another name.',
      );
    }
    if (names.indexOf(name) < n || source.columns.some((column) => column.name === name)) {
      throw new Problem(
        'name-taken',
        `${flag}: ${source.relation} would have two columns ${name}.`,
        'The plan adds this column: take another name.',
      );
    }
  }
}
