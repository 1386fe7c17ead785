/** The map of the engine: floor by floor, each function with what it does and who calls it. */
import { z } from 'zod';
import { read } from './folder.ts';
import { apiFunctions, engineFunctions, namesIn, planSources, type SqlFunction } from './functions.ts';
import { firstSentence, prose, table } from './markdown.ts';

/** More callers than these are counted, not named. */
const named = 6;

/** The floors of the engine from the ground up, with what each holds: folders of sql/engine/functions. */
export function floors(): Map<string, string> {
  const text: unknown = JSON.parse(read('sql/engine/functions/floors.json'));
  return new Map(Object.entries(z.record(z.string(), z.string()).parse(text)));
}

/** One table a floor. */
export function engineMap(): string {
  const functions = engineFunctions();
  const callers = callersByName(functions);
  return [...floors()]
    .map(([floor, holds], index) => {
      const rows = functions
        .filter(({ place }) => place === floor)
        .map(({ name, file, comment }) => [
          `[${name}](${file.replace('sql/engine/', '')})`,
          prose(firstSentence(comment)),
          summary(callers.get(name) ?? []),
        ]);
      return [
        `### ${index} · ${floor}`,
        holds,
        table(['function', 'what it does', 'who calls it'], rows),
      ].join('\n\n');
    })
    .join('\n\n');
}

function callersByName(functions: readonly SqlFunction[]): Map<string, string[]> {
  const callers = new Map<string, string[]>();
  const note = (text: string, caller: string, own?: string) => {
    for (const name of namesIn(text, 'imago')) {
      const list = callers.get(name) ?? [];
      if (name !== own && !list.includes(caller)) callers.set(name, [...list, caller]);
    }
  };
  for (const { name, text } of functions) note(text, name, name);
  for (const { name, text } of apiFunctions()) note(text, `public.${name}`);
  for (const { plan, text } of planSources()) note(text, `plan ${plan}`);
  // The checks of every plan are called by the names that stand there.
  note(read('sql/engine/tables/plan_check.sql').replaceAll(/^comment on .*$/gm, ''), 'table plan_check');
  note(read('sql/uninstall.sql'), 'uninstall.sql');
  return callers;
}

function summary(callers: readonly string[]): string {
  if (callers.length <= named) return callers.join(', ');
  return `${callers.slice(0, named).join(', ')} and ${callers.length - named} more`;
}
