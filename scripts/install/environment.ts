/** The variables of Imago in an .env.example: paragraphs that are appended, and taken away where they are as they were. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageFolder } from '../package.ts';

/** Each variable of ours with the remark above it; related ones are one paragraph. */
function paragraphs(): { text: string; names: string[] }[] {
  const text = readFileSync(path.join(packageFolder, '.env.example'), 'utf8');
  return text
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => ({ text: `${paragraph}\n`, names: variables(paragraph) }))
    .filter(({ names }) => names.length > 0);
}

function variables(text: string): string[] {
  return [...text.matchAll(/^[# \t]*(?:export )?([A-Z][A-Z0-9_]+)=/gm)].map(([, name = '']) => name);
}

/** The file with what it does not mention yet. */
export function withVariables(text: string | undefined): string | undefined {
  const present = new Set(variables(text ?? ''));
  const missing = paragraphs().filter(({ names }) => names.some((name) => !present.has(name)));
  if (missing.length === 0) return text;
  const before = text ? `${text.replace(/\n?$/, '\n')}\n` : '';
  return before + missing.map((paragraph) => paragraph.text).join('\n');
}

/** The file without what is still as it was appended; undefined where nothing else is in it. */
export function withoutVariables(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  let rest = text;
  for (const { text: paragraph } of paragraphs()) {
    if (rest.startsWith(paragraph)) rest = rest.slice(paragraph.length).replace(/^\n/, '');
    else rest = rest.replace(`\n\n${paragraph}`, '\n');
  }
  return rest === '' ? undefined : rest;
}
