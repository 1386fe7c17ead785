/** The functions of the engine, the API and the plans, as their sources have them. */
import { basename } from 'node:path';
import { filesBelow, read } from './folder.ts';
import { literalAt, skipParentheses } from './sql.ts';

/** One function in a file of its own. */
export interface SqlFunction {
  name: string;
  file: string;
  /** Where it belongs: a floor of the engine, `api`, or `plans/<name>`. */
  place: string;
  /** Its arguments, on one line. */
  arguments: string;
  /** What stands behind returns; empty where arguments are given out. */
  returns: string;
  comment: string;
  /** Without its comment. */
  text: string;
}

/** The functions in files of sql/engine/functions, each below the folder that is its floor. */
export function engineFunctions(): SqlFunction[] {
  return filesBelow('sql/engine/functions', '.sql').map((file) =>
    sqlFunction(file, file.split('/').at(-2) ?? ''),
  );
}

/** The functions of schema public. */
export function apiFunctions(): SqlFunction[] {
  return filesBelow('sql/api/functions', '.sql').map((file) => sqlFunction(file, 'api'));
}

/** All SQL of the plans, file by file: their registration, too. */
export function planSources(): { plan: string; file: string; text: string }[] {
  return filesBelow('sql/plans', '.sql').map((file) => ({
    plan: file.split('/')[2] ?? '',
    file,
    text: read(file),
  }));
}

function sqlFunction(file: string, place: string): SqlFunction {
  const source = read(file);
  const name = basename(file, '.sql');
  const open = source.indexOf('(');
  const close = skipParentheses(source, open);
  const comment = source.lastIndexOf('\ncomment on function ');
  if (open < 0 || comment < 0) throw new Error(`${file} holds no function with a comment.`);
  const [, returns = ''] = /^\s*returns ([\s\S]*?)\nlanguage /.exec(source.slice(close)) ?? [];
  return {
    name,
    file,
    place,
    arguments: source
      .slice(open + 1, close - 1)
      .trim()
      .replaceAll(/\s+/g, ' '),
    returns: returns.replaceAll(/\s+/g, ' '),
    comment: literalAt(source, source.indexOf("'", comment)),
    text: source.slice(0, comment),
  };
}

/**
 * What a text names in a schema, in the order of first mention: calls, but also names in strings, since SQL is made of
 * these. Remarks do not count.
 */
export function namesIn(text: string, schema: string): string[] {
  const named = text.replaceAll(/--.*$/gm, '').matchAll(new RegExp(`\\b${schema}\\.(\\w+)`, 'g'));
  return [...new Set([...named].map(([, name = '']) => name))];
}
