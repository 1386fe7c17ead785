/** An `alter table` that adds columns and asks something of them, as two steps with room for values in between. */
import type { Constraint, Node } from 'libpg-query';
import { placeOf, type Statement } from '../sql/statements.ts';
import { isCode, tokenize } from '../sql/tokens.ts';
import { relationName, stringsIn, treeOf } from '../sql/tree.ts';
import { literal, qualified, quote } from './names.ts';

export interface Parts {
  /** Adds the columns, and does what else the statement does. */
  columns: string;
  /** What is asked of rows, a statement each. */
  demands: string[];
  /** Columns that hold a preset in between. */
  preset: string[];
}

const marks = new Set([
  'CONSTR_ATTR_DEFERRABLE',
  'CONSTR_ATTR_NOT_DEFERRABLE',
  'CONSTR_ATTR_DEFERRED',
  'CONSTR_ATTR_IMMEDIATE',
]);

const filling = new Set(['CONSTR_DEFAULT', 'CONSTR_IDENTITY', 'CONSTR_GENERATED']);

/**
 * Undefined where nothing is asked, or where it is no such statement. `presets` are values for columns whose type itself
 * asks for one, until they have got theirs.
 */
export function inParts(
  statement: Statement,
  presets: ReadonlyMap<string, string> = new Map(),
): Parts | undefined {
  const { AlterTableStmt: alter } = statement.tree;
  if (alter?.objtype !== 'OBJECT_TABLE' || !alter.relation) return undefined;
  const table = qualified(...relationName(alter.relation));
  const only = alter.relation.inh === true ? '' : 'only ';
  const texts = actionsOf(statement, (alter.cmds ?? []).length);
  if (!texts) return undefined;
  const columns: string[] = [];
  const demands: string[] = [];
  const used: string[] = [];
  for (const [index, node] of (alter.cmds ?? []).entries()) {
    const { AlterTableCmd: cmd } = treeOf(node);
    const { text, start } = texts[index] as Action;
    const { ColumnDef: column } = treeOf(cmd?.def);
    if (cmd?.subtype === 'AT_AddColumn' && column) {
      const split = splitColumn(statement, text, start, column.colname ?? '', column.constraints ?? []);
      const isFilled =
        split.isFilled || /^(big|small)?serial[248]?$/.test(stringsIn(column.typeName?.names).at(-1) ?? '');
      const preset = isFilled ? undefined : presets.get(column.colname ?? '');
      columns.push(preset === undefined ? split.kept : `${split.kept}\ndefault ${literal(preset)}`);
      if (preset !== undefined) {
        used.push(column.colname ?? '');
        demands.push(`alter column ${quote(column.colname ?? '')} drop default`);
      }
      demands.push(...split.demands);
    } else if (cmd?.subtype === 'AT_AddConstraint' || cmd?.subtype === 'AT_SetNotNull') {
      demands.push(text);
    } else {
      columns.push(text);
    }
  }
  if (columns.length === 0 || demands.length === 0) return undefined;
  const action = (text: string) => `alter table ${only}${table} ${text}`;
  return { columns: action(columns.join('\n, ')), demands: demands.map(action), preset: used };
}

interface Action {
  text: string;
  /** Where it begins in the statement. */
  start: number;
}

/** The actions of an `alter table`, cut at the commas between them. */
function actionsOf({ text }: Statement, count: number): Action[] | undefined {
  const tokens = [...tokenize(text)].filter(isCode);
  const words = tokens.map((token) => token.text.toLowerCase());
  let at = 2;
  if (words[at] === 'if') at += 2;
  if (words[at] === 'only') at += 1;
  // The name, which may have several parts, and the sign for its children.
  at += 1;
  while (words[at] === '.') at += 2;
  if (words[at] === '*') at += 1;
  const first = tokens[at];
  if (!first) return undefined;
  const actions: Action[] = [];
  let [start, depth] = [first.start, 0];
  for (const token of tokens.slice(at)) {
    if (token.text === '(' || token.text === '[') depth += 1;
    if (token.text === ')' || token.text === ']') depth -= 1;
    if (token.text !== ',' || depth > 0) continue;
    actions.push({ text: text.slice(start, token.start), start });
    start = token.start + 1;
  }
  actions.push({ text: text.slice(start), start });
  return actions.length === count ? actions : undefined;
}

function splitColumn(
  statement: Statement,
  text: string,
  start: number,
  column: string,
  nodes: readonly Node[],
): { kept: string; demands: string[]; isFilled: boolean } {
  const constraints = nodes.flatMap((node) => treeOf(node).Constraint ?? []);
  const places = constraints.map(({ location }) => placeOf(statement, location ?? 0) - start);
  let kept = text.slice(0, places[0] ?? text.length);
  const demands: string[] = [];
  for (const [index, constraint] of constraints.entries()) {
    const written = text.slice(places[index], places[index + 1] ?? text.length).trim();
    const demand = demandOf(constraint, written, quote(column));
    if (marks.has(constraint.contype ?? '') && demands.length > 0)
      demands.push(`${demands.pop()}\n${written}`);
    else if (demand === undefined) kept += `\n${written}`;
    else demands.push(demand);
  }
  return { kept, demands, isFilled: constraints.some(({ contype }) => filling.has(contype ?? '')) };
}

/** What a constraint of a column is as one of its table. */
function demandOf({ contype, conname }: Constraint, written: string, column: string): string | undefined {
  const rest = conname === undefined ? written : afterName(written);
  const named = `add ${conname === undefined ? '' : `constraint ${quote(conname)} `}`;
  switch (contype) {
    case 'CONSTR_NOTNULL':
      return `alter column ${column} set not null`;
    case 'CONSTR_CHECK':
      return `${named}${rest}`;
    case 'CONSTR_UNIQUE':
    case 'CONSTR_PRIMARY': {
      const kind = /^(unique(\s+nulls\s+(not\s+)?distinct)?|primary\s+key)/i.exec(rest)?.[0];
      return kind && `${named}${kind} (${column})${rest.slice(kind.length)}`;
    }
    case 'CONSTR_FOREIGN':
      return `${named}foreign key (${column}) ${rest}`;
    default:
      return undefined;
  }
}

/** Without `constraint name`. */
function afterName(written: string): string {
  const [, , third] = [...tokenize(written)].filter(isCode);
  return written.slice(third?.start ?? 0);
}
