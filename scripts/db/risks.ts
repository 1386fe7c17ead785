/** What a statement may do to rows that are there: lose, rewrite, keep locked. */
import type { Constraint } from 'libpg-query';
import type { Statement } from '../sql/statements.ts';
import { relationName, type Tree, treeOf } from '../sql/tree.ts';
import { readable } from './names.ts';
import type { Measured } from './shadow.ts';
import { type Effect, lostAttributes, type Relation, type Structure } from './structure.ts';

export interface Risk {
  kind: 'loses data' | 'rewrites the table' | 'fails on rows' | 'keeps locks';
  /** Table, or table and column. */
  object: string;
  /** A sentence. */
  text: string;
  /** The table that a plan would walk. */
  table: string;
  /** The column by which it would: the primary key, where that is one column. */
  key: string | undefined;
}

/** What `--allow-data-loss` is asked for. */
export function isRefused({ kind }: Risk): boolean {
  return kind === 'loses data' || kind === 'rewrites the table';
}

/** Changes of type that keep every value. */
const widening = new Set([
  'smallint > integer',
  'smallint > bigint',
  'integer > bigint',
  'smallint > numeric',
  'integer > numeric',
  'bigint > numeric',
  'real > double precision',
  'json > jsonb',
  'date > timestamp without time zone',
]);

/** The risks of one statement, from what it did and from how it is written. */
export function risksOf({ statement, effects }: Measured, before: Structure): Risk[] {
  const measured = effects.flatMap((effect) => {
    const { key } = effect.relation;
    return riskOf(effect, effects).map((risk) => ({ ...risk, key: key.length === 1 ? key[0] : undefined }));
  });
  return measured.length > 0 ? measured : lockRisk(statement, before);
}

function riskOf(effect: Effect, all: readonly Effect[]): Omit<Risk, 'key'>[] {
  const table = nameOf(effect.relation);
  const object = 'column' in effect ? `${table}.${readable(effect.column.name)}` : table;
  const isSame = ({ relation }: Effect) => relation.oid === effect.relation.oid;
  switch (effect.kind) {
    case 'sequence-lost':
      return [];
    case 'table-lost':
      return [{ kind: 'loses data', object, table, text: `${table} is dropped with its rows` }];
    case 'column-lost':
      if (effect.column.generated) return [];
      return [{ kind: 'loses data', object, table, text: `${object} is dropped with its values` }];
    case 'type-changed':
      if (lostAttributes(effect.column, effect.to).length > 0) {
        const lost = lostAttributes(effect.column, effect.to).join(', ');
        const text = `${object} is of type ${effect.to.type}, which loses ${lost} with its values`;
        return [{ kind: 'loses data', object, table, text }];
      }
      if (!all.some((other) => other.kind === 'table-rewritten' && isSame(other))) return [];
      return [typeRisk(effect, object, table)];
    case 'table-rewritten': {
      // Said with the change of type already.
      if (all.some((other) => other.kind === 'type-changed' && isSame(other))) return [];
      const text = `every row of ${table} is rewritten, and nobody can read it meanwhile`;
      return [{ kind: 'rewrites the table', object, table, text }];
    }
    case 'value-needed': {
      const text = effect.isNew
        ? `${object} is not null and has no default: this fails when ${table} has rows that do not get a value`
        : `${object} must have a value from now on: this fails when ${table} has rows without one, and the whole table is read while it is locked`;
      return [{ kind: 'fails on rows', object, table, text }];
    }
  }
}

function typeRisk(
  effect: Extract<Effect, { kind: 'type-changed' }>,
  object: string,
  table: string,
): Omit<Risk, 'key'> {
  const change =
    effect.column.type === effect.to.type
      ? `${object} gets other values of type ${effect.to.type}`
      : `${object} goes from ${effect.column.type} to ${effect.to.type}`;
  const lost = lostLabels(effect);
  if (lost.length > 0) {
    const text = `${change}, without ${lost.join(', ')}: rows that hold one fail, and every row is rewritten`;
    return { kind: 'loses data', object, table, text };
  }
  return keepsAll(effect)
    ? {
        kind: 'rewrites the table',
        object,
        table,
        text: `${change}: every row is rewritten, and nobody can read ${table} meanwhile`,
      }
    : {
        kind: 'loses data',
        object,
        table,
        text: `${change}: values that do not fit fail or are cut, and every row is rewritten`,
      };
}

/** Whether the new type holds every value of the old one. */
export function keepsAll(effect: Extract<Effect, { kind: 'type-changed' }>): boolean {
  const { column, to } = effect;
  const plain = (type: string) => type.replace(/\(.*\)/, '');
  if (column.labels && to.labels) return lostLabels(effect).length === 0;
  return widening.has(`${plain(column.type)} > ${plain(to.type)}`) || to.type === 'text';
}

/** The values of an enum that its column cannot have any more. */
export function lostLabels({ column, to }: Extract<Effect, { kind: 'type-changed' }>): string[] {
  const left = to.labels;
  return left === null ? [] : (column.labels ?? []).filter((value) => !left.includes(value));
}

/** Not refused: it takes a moment on most tables, and none on those that the version itself makes. */
function lockRisk({ tree }: Statement, before: Structure): Risk[] {
  const { IndexStmt: index, AlterTableStmt: alter } = tree;
  const why =
    index && !index.concurrent
      ? 'nobody can write to the table while the index is built'
      : (alter?.cmds ?? []).map((cmd) => lockOf(treeOf(cmd))).find((found) => found !== undefined);
  const [name, schema = 'public'] = relationName(index?.relation ?? alter?.relation).reverse();
  if (why === undefined || name === undefined) return [];
  const known = [...before.values()].find((relation) => relation.schema === schema && relation.name === name);
  if (!known) return [];
  const table = nameOf(known);
  return [{ kind: 'keeps locks', object: table, table, key: undefined, text: `${table}: ${why}` }];
}

const isRead = 'the whole table is read while it is locked';
const isIndexed = 'nobody can use the table while the index is built';

/** Why a change of a table keeps it locked. */
function lockOf({ AlterTableCmd: cmd }: Tree): string | undefined {
  const { Constraint: constraint, ColumnDef: column } = treeOf(cmd?.def);
  if (cmd?.subtype === 'AT_SetNotNull') return isRead;
  if (cmd?.subtype === 'AT_AddConstraint') return constraint && lockOfConstraint(constraint);
  if (cmd?.subtype !== 'AT_AddColumn') return undefined;
  const own = (column?.constraints ?? []).flatMap((item) => treeOf(item).Constraint ?? []);
  return own.map(lockOfConstraint).find((found) => found !== undefined);
}

function lockOfConstraint({ contype, skip_validation, indexname }: Constraint): string | undefined {
  switch (contype) {
    case 'CONSTR_CHECK':
    case 'CONSTR_FOREIGN':
      return skip_validation ? undefined : isRead;
    case 'CONSTR_UNIQUE':
    case 'CONSTR_PRIMARY':
    case 'CONSTR_EXCLUSION':
      // One that takes an index that is there builds none.
      return indexname === undefined ? isIndexed : undefined;
    default:
      return undefined;
  }
}

export function nameOf({ schema, name }: Pick<Relation, 'schema' | 'name'>): string {
  return readable(schema, name);
}
