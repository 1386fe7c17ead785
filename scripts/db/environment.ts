/** What `db` reads from the environment, and from the file `.env` of the project. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';

/** An empty variable counts as one that is not set. */
const text = z.preprocess((value) => (value === '' ? undefined : value), z.string().trim().optional());

const environmentSchema = z.object({
  DATABASE_URL: text,
  PGSSLROOTCERT: text,
  SUPABASE_URL: text,
  SUPABASE_DB_PASSWORD: text,
});

export type DbEnvironment = z.output<typeof environmentSchema>;

export function readDbEnvironment(folder: string, real: NodeJS.ProcessEnv = process.env): DbEnvironment {
  const file = path.join(folder, '.env');
  const written = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return environmentSchema.parse({ ...written, ...real });
}
