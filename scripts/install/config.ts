/** Entries of edge functions in a config.toml: appended and taken away as text, so that everything else stays as it is. */
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
  const names = new Set<string>();
  let table: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[{1,2}([^\]]+)\]/.exec(line)?.[1];
    const key = /^\s*([\w."' \t-]+?)\s*=/.exec(line)?.[1];
    if (header !== undefined) table = keyParts(header);
    else if (key === undefined) continue;
    const parts = header === undefined ? [...table, ...keyParts(key ?? '')] : table;
    if (parts[0] === 'functions' && parts[1] !== undefined) names.add(parts[1]);
    if (header === undefined && parts.length === 1 && parts[0] === 'functions') throw inline();
  }
  return names;
}

function keyParts(key: string): string[] {
  return [...key.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}

function inline(): Problem {
  return new Problem(
    'config-form',
    'supabase/config.toml has functions = { … }, to which nothing can be appended.',
    'Write them as tables, [functions.NAME], or leave the edge functions out: --no-functions.',
  );
}

/** The file with entries for these functions at its end. */
export function withFunctions(text: string, names: readonly string[]): string {
  if (names.length === 0) return text;
  const end = newline(text);
  const addition = [text.includes(remark.trim()) ? '' : remark, ...names.map(entry)].join('');
  const ended = text === '' || text.endsWith('\n') ? text : `${text}${end}`;
  return ended + addition.replaceAll('\n', end);
}

/** The file without the entries that are still as they were appended. */
export function withoutFunctions(text: string, names: readonly string[]): string {
  const end = newline(text);
  const without = (from: string, part: string): string => from.replace(part.replaceAll('\n', end), '');
  const rest = names.map(entry).reduce(without, text);
  return names.some((name) => configuredFunctions(rest).has(name)) ? rest : without(rest, remark);
}

function newline(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}
