/** What PostgreSQL's own parser, of version 17, makes of SQL. A module that imports this waits until it is loaded. */
import type { Node, ParseResult, RangeVar } from 'libpg-query';

type KindsOf<T> = T extends T ? keyof T : never;
type Kind = KindsOf<Node>;

/** A node by its kind, which is the one field that it has. Nothing at all is known of what the parser refuses. */
export type Tree = { [K in Kind]?: Extract<Node, Record<K, unknown>>[K] };

const { loadModule, parseSync } = await import('libpg-query');
await loadModule();

/** A statement, with the bytes that it takes, and the one from which its tree counts. */
export interface Parsed {
  tree: Tree;
  origin: number;
  start: number;
  end: number;
}

/** The statements of a text, which begins at a byte of a larger one; undefined where one of them is refused. */
export function parse(sql: Buffer, origin = 0): Parsed[] | undefined {
  // The parser would read no further.
  if (sql.includes(0)) return undefined;
  const text = sql.toString();
  if (text.trim() === '') return [];
  try {
    const { stmts = [] }: ParseResult = parseSync(text);
    return stmts.map(({ stmt, stmt_location: start = 0, stmt_len: length }) => ({
      tree: treeOf(stmt),
      origin,
      start: origin + start,
      end: origin + (length === undefined ? sql.length : start + length),
    }));
  } catch {
    // A syntax that it does not know, or a nesting that is too deep for it.
    return undefined;
  }
}

export function treeOf(node: Node | undefined): Tree {
  return (node ?? {}) as Tree;
}

/** The strings of a list: the parts of a name, as the catalog has them. */
export function stringsIn(nodes: readonly Node[] | undefined): string[] {
  return (nodes ?? []).flatMap((node) => treeOf(node).String?.sval ?? []);
}

/** The name of a relation, with its schema where that is said. */
export function relationName(relation: RangeVar | undefined): string[] {
  return [relation?.schemaname, relation?.relname].filter((part) => part !== undefined);
}

/** An option like `(concurrently)`, `(connect = false)`; undefined where it is not given. */
export function optionIn(nodes: readonly Node[] | undefined, name: string): boolean | undefined {
  const option = (nodes ?? []).map((node) => treeOf(node).DefElem).find((found) => found?.defname === name);
  if (!option) return undefined;
  const { String: said, Integer: number, Boolean: value } = treeOf(option.arg);
  if (value) return value.boolval === true;
  if (number) return number.ival === 1;
  return !['false', 'off'].includes(said?.sval?.toLowerCase() ?? 'true');
}
