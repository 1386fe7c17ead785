/** The file `.env`: read whole, or refused with the line that cannot be. */
import { readFileSync } from 'node:fs';
import { UsageError } from './usage.ts';

/** A value and where it stands. */
export interface Written {
  value: string;
  line: number;
}

/** One assignment; a value in quotes may go on over several lines. */
const assignment =
  /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*(?:'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|`([^`]*)`|([^'"`\s#][^\n]*)?)[ \t]*(?:(?<=[ \t'"`=])#[^\n]*)?$/my;

/** A line that says nothing. */
const idle = /^[ \t]*(?:#[^\n]*)?$/my;

/**
 * Reads such a file; `names` are those that the command reads. A file that is not there is an empty one, unless it
 * must be.
 */
export function readEnvFile(file: string, names: readonly string[], mustBe = false): Map<string, Written> {
  const text = contentOf(file, mustBe)
    .replace(/^\uFEFF/, '')
    .replaceAll(/\r\n?/g, '\n');
  const found = new Map<string, Written>();
  for (let at = 0, line = 1; at < text.length; ) {
    const [whole, name, value] = lineAt(text, at) ?? [];
    const where = `${file}, line ${line}`;
    if (whole === undefined) {
      throw new UsageError(
        `${where} cannot be read.`,
        'Write NAME=value, quotes round a value with blanks or #, or # before a remark.',
      );
    }
    if (name !== undefined && value !== undefined) {
      expectName(name, names, where);
      const before = found.get(name);
      if (before && names.includes(name) && before.value !== value) {
        throw new UsageError(
          `${where}: ${name} stands in line ${before.line} already, with another value.`,
          'Keep one of the two.',
        );
      }
      found.set(name, { value, line });
    }
    line += whole.split('\n').length;
    at += whole.length + 1;
  }
  return found;
}

/** What stands there, with name and value of an assignment. */
function lineAt(text: string, at: number): [whole: string, name?: string, value?: string] | undefined {
  idle.lastIndex = at;
  const nothing = idle.exec(text);
  if (nothing) return [nothing[0]];
  assignment.lastIndex = at;
  const found = assignment.exec(text);
  if (!found) return undefined;
  const [whole, name = '', single, double, back, bare] = found;
  // A # without a blank before it may be part of a password, or the beginning of a remark.
  if (bare !== undefined && /\S#/.test(bare.replace(/\s#.*$/, ''))) return undefined;
  const value = single ?? back ?? double?.replaceAll('\\n', '\n') ?? bare?.replace(/\s#.*$/, '').trim() ?? '';
  return [whole, name, value];
}

/** Names are told apart by case: one that differs from ours by that alone would do nothing. */
function expectName(name: string, names: readonly string[], where: string): void {
  const meant = names.find((one) => one === name.toUpperCase());
  if (meant === undefined || meant === name) return;
  throw new UsageError(`${where}: ${name} is not read.`, `Write ${meant}.`);
}

function contentOf(file: string, mustBe: boolean): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !mustBe) return '';
    throw new UsageError(`${file} cannot be read (${code}).`);
  }
}
