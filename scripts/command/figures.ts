/** Numbers as people read them. */
import type { Words } from '../../functions/_shared/words.ts';

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** 1 worker, 2 workers. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${whole(value)} ${value === 1 ? one : many}`;
}

/** So many of what a plan moves, in its words: 1 user, 2 users. */
export function countedEntities(value: number, { entity_singular, entity_plural }: Words): string {
  return counted(value, entity_singular, entity_plural);
}

/** What a plan moves, at the beginning of a line: Users. */
export function heading({ entity_plural }: Words): string {
  return entity_plural.charAt(0).toUpperCase() + entity_plural.slice(1);
}

/** 850 ms, 4.2 s, 3 min 12 s, 2 h 5 min. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 512 B, 3.4 kB, 12.0 MB. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return power === 0 ? `${Math.round(value)} B` : `${(value / 1000 ** power).toFixed(1)} ${units[power]}`;
}

/** `public.posts 96,313 · public.follows 40,112`, the most first; `public.avatars:removed` is what went. */
export function breakdown(rows: Record<string, number>): string {
  const sorted = Object.entries(rows)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
  return sorted.map(([relation, count]) => `${relation.replace(':', ' ')} ${whole(count)}`).join(' · ');
}

/** `wal_bytes: 1234` as `wal 1.2 kB`. What is nested is left out. */
export function objectText(object: Record<string, unknown> | null | undefined): string {
  return Object.entries(object ?? {})
    .filter(([, value]) => value !== null && typeof value !== 'object')
    .map(([name, value]) => `${nameText(name, value)} ${scalarText(name, value)}`)
    .join(' · ');
}

/** Without the unit, which stands behind the number. */
function nameText(name: string, value: unknown): string {
  const bare = typeof value === 'number' ? name.replace(/_?(bytes|seconds|ms)$/, '') : name;
  return bare.replaceAll('_', ' ') || (name === 'bytes' ? 'size' : 'time');
}

function scalarText(name: string, value: unknown): string {
  if (typeof value !== 'number') return String(value);
  if (name.endsWith('ms')) return duration(value);
  if (name.endsWith('bytes')) return bytes(value);
  if (name.endsWith('seconds')) return duration(value * 1000);
  return Number.isInteger(value) ? whole(value) : String(Math.round(value * 100) / 100);
}
