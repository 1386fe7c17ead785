/** The engine's tables, as sql/engine/tables creates them. */
import { basename } from 'node:path';
import { filesBelow, read } from './folder.ts';
import { listItems, literalAt, skipParentheses } from './sql.ts';

export interface Column {
  name: string;
  type: string;
  notNull: boolean;
  /** As SQL writes it. */
  default: string | undefined;
  /** Filled by the server: with a number, or from other columns. */
  generated: 'numbered' | 'computed' | undefined;
  /** Its own check constraint, without the parentheses. */
  check: string | undefined;
  /** The table of the engine that it refers to. */
  references: string | undefined;
  comment: string;
}

export interface Table {
  name: string;
  comment: string;
  columns: Column[];
  /** Keys and checks of more than one column, as SQL writes them. */
  constraints: string[];
}

const constraintStart = /^(primary key|unique|check|foreign key|constraint|exclude)\b/;

/** All tables of schema imago, by name. */
export function readTables(): Table[] {
  return filesBelow('sql/engine/tables', '.sql').map((file) => readTable(basename(file, '.sql')));
}

export function readTable(name: string): Table {
  const source = read(`sql/engine/tables/${name}.sql`);
  const head = `create table imago.${name} (`;
  const open = source.indexOf(head) + head.length - 1;
  if (!source.includes(head)) throw new Error(`sql/engine/tables/${name}.sql does not create imago.${name}.`);
  const items = listItems(source.slice(open + 1, skipParentheses(source, open) - 1));
  const comments = new Map(
    [...source.matchAll(/^comment on (?:table|column) (\S+) is (?=')/gm)].map((found) => [
      found[1] ?? '',
      literalAt(source, found.index + found[0].length),
    ]),
  );
  return {
    name,
    comment: comments.get(`imago.${name}`) ?? '',
    columns: items
      .filter((item) => !constraintStart.test(item))
      .map((item) => readColumn(item, (column) => comments.get(`imago.${name}.${column}`) ?? '')),
    constraints: items.filter((item) => constraintStart.test(item)),
  };
}

function readColumn(item: string, commentOn: (column: string) => string): Column {
  const [, name = '', definition = ''] = /^(\w+) (.*)$/.exec(item) ?? [];
  const checkAt = definition.search(/\bcheck \(/);
  const check =
    checkAt < 0
      ? undefined
      : definition.slice(
          checkAt + 'check ('.length,
          skipParentheses(definition, definition.indexOf('(', checkAt)) - 1,
        );
  const rest = check === undefined ? definition : definition.replace(`check (${check})`, '').trim();
  const keyword = /\b(not null|default|primary key|references|generated always as|on delete)\b/;
  const generated = rest.includes('generated always as identity')
    ? 'numbered'
    : rest.includes('generated always as (')
      ? 'computed'
      : undefined;
  const [, given] = /\bdefault (.+?)(?= not null| references| primary key|$)/.exec(rest) ?? [];
  const [, references] = /\breferences imago\.(\w+)/.exec(rest) ?? [];
  return {
    name,
    type: (rest.split(keyword)[0] ?? '').trim(),
    notNull: generated === 'numbered' || /\b(not null|primary key)\b/.test(rest),
    default: given?.trim(),
    generated,
    check,
    references,
    comment: commentOn(name),
  };
}

/** The rows that a file of sql/engine/tables inserts. They hold nothing but literals. */
export function insertedRows(table: string): string[][] {
  const text = read(`sql/engine/tables/${table}.sql`);
  const values = text.slice(text.search(/^insert into /m));
  const literal = String.raw`(?:'(?:[^']|'')*'|[\w.-]+)`;
  const rows = [
    ...values.matchAll(new RegExp(String.raw`^ {2}\((${literal}(?:, ${literal})*)\)[,;]$`, 'gm')),
  ];
  return rows.map(([, row = '']) =>
    [...row.matchAll(new RegExp(literal, 'g'))].map(([value]) =>
      value.replace(/^'|'$/g, '').replaceAll("''", "'"),
    ),
  );
}
