/**
 * Entries of edge functions in a config.toml. It is read by a TOML parser. It is written as text, appended and taken away,
 * so that everything else stays as it is; and read again, so that nothing else comes to mean another thing.
 */
import { isDeepStrictEqual } from 'node:util';
import { parse, TomlError, type TomlTable } from 'smol-toml';
import { Problem } from './problem.ts';

const remark = `
# Imago: these functions check who calls by themselves, a key or a signed-in user; the gateway's check knows tokens only.
`;

function entry(name: string): string {
  return `
[functions.${name}]
verify_jwt = false
entrypoint = "./functions/${name}/index.ts"
import_map = "./functions/${name}/deno.json"
`;
}

/** Names of the functions that the file says something about. */
export function configuredFunctions(text: string): Set<string> {
  return new Set(Object.keys(functionsOf(read(text))));
}

/** The file with entries for these functions at its end. */
export function withFunctions(text: string, names: readonly string[]): string {
  if (names.length === 0) return text;
  const end = newline(text);
  const addition = [text.includes(remark.trim()) ? '' : remark, ...names.map(entry)].join('');
  const ended = text === '' || text.endsWith('\n') ? text : `${text}${end}`;
  const after = ended + addition.replaceAll('\n', end);
  if (!says(after, withEntries(read(text), read(addition)))) throw form();
  return after;
}

/** The file without the entries that are still as they were appended. */
export function withoutFunctions(text: string, names: readonly string[]): string {
  const end = newline(text);
  let rest = text;
  const without = (part: string, means: TomlTable): void => {
    const shorter = rest.replace(part.replaceAll('\n', end), '');
    if (says(shorter, means)) rest = shorter;
  };
  for (const name of names) without(entry(name), withoutEntry(read(rest), name));
  const left = configuredFunctions(rest);
  if (!names.some((name) => left.has(name))) without(remark, withoutEntry(read(rest), ''));
  return rest;
}

function withEntries(table: TomlTable, { functions }: TomlTable): TomlTable {
  return withTable(table, { ...functionsOf(table), ...(functions as TomlTable) });
}

function withoutEntry(table: TomlTable, name: string): TomlTable {
  const { [name]: _, ...left } = functionsOf(table);
  return withTable(table, left);
}

function functionsOf({ functions }: TomlTable): TomlTable {
  return isTable(functions) ? functions : {};
}

/** An empty table of functions is as good as none. */
function withTable({ functions: _, ...others }: TomlTable, functions: TomlTable): TomlTable {
  return Object.keys(functions).length > 0 ? { ...others, functions } : others;
}

/** Whether a text is TOML and has exactly this in it. */
function says(text: string, means: TomlTable): boolean {
  try {
    const said = parse(text);
    if (said.functions !== undefined && !isTable(said.functions)) return false;
    return isDeepStrictEqual(withTable(said, { ...functionsOf(said) }), means);
  } catch (error) {
    if (error instanceof TomlError) return false;
    throw error;
  }
}

function read(text: string): TomlTable {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [what = ''] = cause.message.split('\n');
    throw new Problem(
      'config-broken',
      `supabase/config.toml cannot be read, line ${cause.line}: ${what}.`,
      'Fix that line: the Supabase CLI cannot read it either.',
      { cause },
    );
  }
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function form(): Problem {
  return new Problem(
    'config-form',
    'supabase/config.toml has its functions as one value, like functions = { … }, to which nothing can be appended.',
    'Write them as tables, [functions.NAME], or leave the edge functions out: --no-functions.',
  );
}

function newline(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}
