/** What would do good, where nothing is wrong: settings that only somebody who knows the server can choose. */
import type { Installation } from './installation.ts';

export interface Advice {
  message: string;
  /** What to run, as role postgres. */
  statement: string;
}

/** A compute size of Supabase: by how many connections it allows, and what its disk takes for long. */
interface Size {
  connections: number;
  name: string;
  megabytes: number;
}

/** Nano and Micro allow the same number; who has the larger one may say so. */
const sizes: readonly Size[] = [
  { connections: 60, name: 'Nano (or Micro, with 11 MB/s)', megabytes: 5 },
  { connections: 90, name: 'Small', megabytes: 22 },
  { connections: 120, name: 'Medium', megabytes: 43 },
  { connections: 160, name: 'Large', megabytes: 79 },
  { connections: 240, name: 'XL', megabytes: 149 },
];

/** Room for what is not write-ahead log. */
const share = 0.8;

/** Nothing where the size is not known, or somebody has chosen already. */
export function adviceFor({ governor }: Pick<Installation, 'governor'>): Advice[] {
  if (!governor?.is_supabase || governor.wal_mb_per_s !== null) return [];
  const size = sizes.find(({ connections }) => connections === governor.max_connections);
  if (!size) return [];
  const limit = Math.round(10 * share * size.megabytes) / 10;
  return [
    {
      message: `${size.connections} connections are those of the compute size ${size.name}, whose disk takes ${size.megabytes} MB/s for long. The governor can slow runs that write more.`,
      statement: `update imago.setting set value = '${limit}' where name = 'wal_mb_per_s';`,
    },
  ];
}
