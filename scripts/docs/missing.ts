/** What the embedded Supabase lacks, as the messages about it know it. */
import { missingExtensions, missingParts } from '../embedded/missing.ts';
import { table } from './markdown.ts';

export function extensionsThatAreMissing(): string {
  const rows = missingExtensions.map(({ name, relatives = [], what }) => [
    [name, ...relatives].map((extension) => `\`${extension}\``).join(', '),
    what,
  ]);
  return table(['extension', 'for'], rows);
}

export function partsThatAreMissing(): string {
  return table(
    ['what', 'that is'],
    missingParts.map(({ name, what }) => [name, what.replaceAll(/(?<![\w.])_/g, '\\_')]),
  );
}
