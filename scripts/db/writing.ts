/** The text of a version's file and of its way back. */
import type { Constraint } from 'libpg-query';
import { placeOf, type Statement, splitStatements } from '../sql/statements.ts';
import { relationName, treeOf } from '../sql/tree.ts';
import { qualified, quote, readable } from './names.ts';
import type { Risk } from './risks.ts';
import { keepsAll, nameOf } from './risks.ts';
import type { Effect } from './structure.ts';

/** A statement with what is to be said above it. */
export interface Marked {
  text: string;
  risks: Risk[];
}

/** The file of a version: what it is, what was seen, the statements with their marks. */
export function versionText(message: string, saw: readonly string[], statements: readonly Marked[]): string {
  const head = [`-- ${oneLine(message)}`, ...saw.map((line) => `--   ${oneLine(line)}`)];
  return [head.join('\n'), ...statements.map(markedText)].join('\n\n').concat('\n');
}

/** The way back. What it would drop is named, as downgrade moves it aside. */
export function wayBackText(
  message: string,
  statements: readonly Statement[],
  effects: readonly Effect[],
): string {
  const kept = effects.flatMap(keptLine);
  const head = [
    `-- The way back of: ${oneLine(message)}`,
    ...(kept.length > 0
      ? ['-- Run it by `db downgrade`, which moves these aside first, into schema imago_attic:']
      : []),
    ...kept.map((line) => `--   ${oneLine(line)}`),
  ];
  return [head.join('\n'), ...statements.map(({ text }) => `${text};`)].join('\n\n').concat('\n');
}

function keptLine(effect: Effect): string[] {
  switch (effect.kind) {
    case 'table-lost':
      return [`table ${nameOf(effect.relation)}`];
    case 'column-lost':
      if (effect.column.generated) return [];
      return [`column ${nameOf(effect.relation)}.${readable(effect.column.name)}`];
    case 'type-changed':
      if (effect.column.generated || keepsAll(effect)) return [];
      return [
        `values of ${nameOf(effect.relation)}.${readable(effect.column.name)} that ${effect.to.type} cannot hold`,
      ];
    default:
      return [];
  }
}

function markedText({ text, risks }: Marked): string {
  return [...risks.map((risk) => `-- ${risk.kind.toUpperCase()}: ${oneLine(risk.text)}`), `${text};`].join(
    '\n',
  );
}

/** A new column that must have a value gets that afterwards, so that what was kept aside can be put back in between. */
export function withLateNotNull(statements: readonly Statement[]): Statement[] {
  return statements.flatMap((statement) => {
    const { AlterTableStmt: alter } = statement.tree;
    const [cmd, ...others] = alter?.cmds ?? [];
    const { subtype, def } = treeOf(cmd).AlterTableCmd ?? {};
    const { ColumnDef: column } = treeOf(def);
    if (subtype !== 'AT_AddColumn' || column?.colname === undefined || others.length > 0) return [statement];
    const constraints = (column.constraints ?? []).flatMap((node) => treeOf(node).Constraint ?? []);
    const notNull = constraints.find(({ contype }) => contype === 'CONSTR_NOTNULL');
    // A name of its own begins before it.
    if (!notNull || notNull.conname !== undefined || constraints.some(fills)) return [statement];
    const at = placeOf(statement, notNull.location ?? 0);
    const { text } = statement;
    const after = text.slice(at).replace(/^not\s+null/i, '');
    const table = qualified(...relationName(alter?.relation));
    return splitStatements(
      `${text.slice(0, at).trimEnd()}${after}\n;\nALTER TABLE ${table}\n  ALTER COLUMN ${quote(column.colname)} SET NOT NULL`,
    );
  });
}

/** Whether it gives rows that are there a value. */
function fills({ contype }: Constraint): boolean {
  return ['CONSTR_DEFAULT', 'CONSTR_GENERATED', 'CONSTR_IDENTITY'].includes(contype ?? '');
}

export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
