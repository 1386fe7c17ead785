/** Names that Imago needs in the database, and what of the project's own SQL has them already. */
import { splitStatements } from '../db/statements.ts';
import type { Part } from './parts.ts';
import { Problem } from './problem.ts';
import type { SqlFile } from './project.ts';

/** Kinds of objects that stand in each other's way in schema public. */
const kinds = ['function', 'procedure', 'view', 'table', 'type'];

/** What the parts make outside of their own schemas, and these: `schema avatars`, `public.migrate_batch`. */
export function neededNames(parts: readonly Part[]): Set<string> {
  const names = parts.flatMap(({ text }) => [
    ...[...text.matchAll(/^create schema (\w+);/gm)].map(([, name]) => `schema ${name}`),
    ...[...text.matchAll(/^select imago\.create_plan\('(\w+)'/gm)].map(([, name]) => `schema ${name}`),
    ...[...text.matchAll(/^create (?:or replace )?(?:function|view) public\.(\w+)/gm)].map(
      ([, name]) => `public.${name}`,
    ),
  ]);
  return new Set(names);
}

/**
 * Refuses names that the project's SQL makes, and does not drop again. Names in quotes are not looked at: when the
 * migrations are pushed, the database itself is asked.
 */
export function expectFree(needed: ReadonlySet<string>, files: readonly SqlFile[]): void {
  const taken = new Map<string, string>();
  for (const { file, text } of files) {
    for (const { words } of splitStatements(text)) {
      const [verb, ...rest] = words;
      const name = named(rest);
      if (!name || !needed.has(name)) continue;
      if (verb === 'create') taken.set(name, file);
      if (verb === 'drop') taken.delete(name);
    }
  }
  if (taken.size === 0) return;
  const list = [...taken].map(([name, file]) => `${name} (${file})`).join(', ');
  throw new Problem(
    'name-taken',
    `The project has names that Imago needs: ${list}.`,
    'Rename or drop them in a migration of yours first, or leave out the plan whose schema it is: --plans with others, or --plans none. Nothing has been changed.',
  );
}

/** What a statement is about, from the words after its verb. */
function named(words: readonly string[]): string | undefined {
  const rest = words.filter((word) => !['or', 'replace', 'if', 'not', 'exists'].includes(word));
  const [kind = '', first, second] = rest;
  if (kind === 'schema') return `schema ${first}`;
  if (!kinds.includes(kind)) return undefined;
  return first === 'public' ? `public.${second}` : `public.${first}`;
}
