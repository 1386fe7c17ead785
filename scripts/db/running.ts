/** Runs the statements of a file one by one, and says which one failed and why. */
import type { Sql, TransactionSql } from 'postgres';
import { EMBEDDED_MARK } from '../embedded/installation.ts';
import { missingHere } from '../embedded/missing.ts';
import { CONNECTION_LOST } from '../embedded/reserving.ts';
import { runsAlone, transactionStep } from '../sql/kinds.ts';
import { type Statement, splitStatements } from '../sql/statements.ts';
import { firstCode, inOneLine } from '../sql/tokens.ts';
import { Problem, type ProblemCode } from './problem.ts';
import type { SqlFile, Version } from './project.ts';

/** A file, ready to be run. */
export interface Script {
  file: string;
  statements: Statement[];
  /** False for a single statement that PostgreSQL runs outside of transactions only. */
  inTransaction: boolean;
}

/** Looks at a file before anything is run. A frame of begin and commit is taken off: there is one already. */
export function readScript({ file, text, statements: split }: SqlFile & Partial<Version>): Script {
  let statements = split ?? splitStatements(text);
  const [first, last] = [statements.at(0), statements.at(-1)];
  if (first && last && transactionStep(first) === 'opens' && transactionStep(last) === 'closes') {
    statements = statements.slice(1, -1);
  }
  const control = statements.find(transactionStep);
  if (control) {
    throw new Problem(
      'transaction-control',
      `${file}:${control.line} controls the transaction by itself (${inOneLine(control.text).split(' ')[0]?.toLowerCase()}).`,
      'Take these statements out: each version is one transaction anyway. Where two are needed, make two versions.',
    );
  }
  const outside = statements.find(runsAlone);
  if (outside && statements.length > 1) {
    throw new Problem(
      'alone-only',
      `${file}:${outside.line} cannot run in a transaction, and it is not the only statement of its file.`,
      'Move it into a version of its own, which then holds nothing else.',
    );
  }
  return { file, statements, inTransaction: outside === undefined };
}

/** Runs the statements within a transaction. `after` is called after each of them. */
export async function runStatements(
  tx: Sql | TransactionSql,
  script: Script,
  after?: (statement: Statement) => Promise<void>,
): Promise<void> {
  // Without a look in between none waits for the answer to the one before it. After one that fails PostgreSQL refuses the others.
  const running = after ? undefined : script.statements.map(({ text }) => tx.unsafe(text));
  if (running) await Promise.allSettled(running);
  for (const [index, statement] of script.statements.entries()) {
    try {
      await (running?.[index] ?? tx.unsafe(statement.text));
    } catch (error) {
      throw explain(error, script.file, statement);
    }
    await after?.(statement);
  }
}

/** Runs a file as a transaction of its own, or outside of one where it must be. */
export async function runScript(sql: Sql, script: Script): Promise<void> {
  if (script.inTransaction) await sql.begin((tx) => runStatements(tx, script));
  else await runStatements(sql, script);
}

interface ServerError extends Error {
  code: string;
  detail?: string;
  table_name?: string;
  column_name?: string;
  constraint_name?: string;
}

/** What the driver and PostgreSQL say, as a problem. Values of rows, which some messages quote, stay out. */
export function explain(error: unknown, file: string, statement?: Pick<Statement, 'text' | 'line'>): Problem {
  if (error instanceof Problem) return error;
  const { code = '', message = '', detail = '' } = error as Partial<ServerError>;
  const said = whatIsWrong(error, statement);
  const kind = kindOf(code, message);
  // The embedded PostgreSQL says where it has looked: a shadow database may lack what the target has.
  const missing = detail.includes(EMBEDDED_MARK) ? missingHere(message) : undefined;
  const hint = missing
    ? `The version was taken back whole. ${missing}`
    : (surroundings[code] ?? surroundings[code.slice(0, 2)] ?? hints[kind]);
  const place = statement ? `${file}:${lineOf(error, statement)}` : file;
  return new Problem(kind, `${place}: ${said}.`, hint, { cause: error });
}

/** The line that PostgreSQL points at, in a statement of several. */
function lineOf(error: unknown, { text, line }: Pick<Statement, 'text' | 'line'>): number {
  const { position } = error as { position?: string };
  if (position === undefined) return line;
  const lines = (before: string) => before.split('\n').length;
  // It counts characters, and not what JavaScript takes for them.
  const before = [...text].slice(0, Number(position) - 1).join('');
  return line + lines(before) - lines(text.slice(0, firstCode(text)));
}

/** What a statement, or all of them together, did wrong, without values of rows. */
export function whatIsWrong(error: unknown, statement?: Pick<Statement, 'text'>): string {
  const {
    code = '',
    message = '',
    detail = '',
    table_name,
    column_name,
    constraint_name,
  } = error as Partial<ServerError>;
  const about = [
    table_name && `table ${table_name}`,
    column_name && `column ${column_name}`,
    constraint_name && `constraint ${constraint_name}`,
  ]
    .filter(Boolean)
    .join(', ');
  // The other classes quote what stands in rows.
  const said = /^(08|25|28|3D|3F|40|42|53|54|55|57|58|2B|0A)/.test(code)
    ? message
    : [
        wrong[code] ?? wrong[code.slice(0, 2)] ?? 'it failed',
        about || (statement && beginning(statement.text)),
      ]
        .filter(Boolean)
        .join(': ');
  // What depends on something is a list of names.
  const dependents = code === '2BP01' && detail !== '' ? `: ${detail.replaceAll('\n', ', ')}` : '';
  return `${said}${dependents} (${code || 'no SQLSTATE'})`;
}

/** The same for a text that is in no file: the statement tells more than its line. */
export function describeFailure({ message, cause }: Problem): string {
  const { query } = (cause ?? {}) as { query?: string };
  const said = message.replace(/^[^:]*:\d+: /, '');
  return query === undefined ? said : `${beginning(query)}: ${said}`;
}

/** The statement as the file has it, which is no row's value. */
function beginning(text: string): string {
  return inOneLine(text).slice(0, 100);
}

/** What is wrong with rows, by SQLSTATE or class. */
const wrong: Record<string, string> = {
  22: 'a value does not fit',
  '22012': 'a division by zero',
  '22P02': 'a value is not one of the type',
  23502: 'a row has no value where it must have one',
  23503: 'a row refers to one that is not there',
  23505: 'rows are not unique',
  23514: 'a row breaks a check',
};

function kindOf(code: string, message: string): ProblemCode {
  if (['42P07', '42710', '42701', '42723', '42P06'].includes(code)) return 'already-exists';
  if (code === '42P16' && message.startsWith('multiple primary keys')) return 'already-exists';
  if (['42P01', '42703', '42704', '42883', '3F000'].includes(code)) return 'missing-object';
  if (code === '55P03' || code === '40P01') return 'locked';
  if (code.startsWith('57P') || CONNECTION_LOST.test(code)) return 'connection-lost';
  if (/^(22|23)/.test(code)) return 'rows-do-not-fit';
  return 'statement-fails';
}

const hints: Partial<Record<ProblemCode, string>> = {
  'already-exists':
    'The version was taken back whole. Where somebody made this by hand, exactly as the version would, mark it without running it: db stamp VERSION. db check tells what differs.',
  'missing-object':
    'The version was taken back whole. Look whether the statement names what it means; where it does, db check tells whether the database is as the versions before this one make it.',
  locked:
    'The version was taken back whole. Run it again when there is less going on, or with --lock-timeout.',
  'connection-lost':
    'The database has this version or it has it not, never a part: db status tells. Then run it again.',
  'rows-do-not-fit':
    'The version was taken back whole. Change the rows first, or write the version so that it does: db migrate --empty "message".',
  'statement-fails': 'The version was taken back whole. Fix it, and run it again.',
};

/** Where it is not the version that is wrong, by SQLSTATE or class. */
const surroundings: Record<string, string> = {
  42501:
    'The version was taken back whole. The role that is connected may not do this: what the statement is about belongs to another one, or only that one may. Change its owner or give the right as a role that has it, or leave this out of the version.',
  53: 'The version was taken back whole. The server has no more of what it needs, like disk, memory or connections: give it some, and run it again.',
  57014:
    'The version was taken back whole. The statement was cancelled: by somebody, or as it took longer than statement_timeout allows. A version may say more: set local statement_timeout = 0;',
};
