/** What `db` reads from the environment, and from the file `.env` of the project. */
import path from 'node:path';
import { z } from 'zod';
import { readVariables, text } from '../command/environment.ts';

const environmentSchema = z.object({
  DATABASE_URL: text,
  PGSSLROOTCERT: text,
  SUPABASE_URL: text,
  SUPABASE_DB_PASSWORD: text,
});

export type DbEnvironment = z.output<typeof environmentSchema>;

export function readDbEnvironment(folder: string, real: NodeJS.ProcessEnv = process.env): DbEnvironment {
  return readVariables(environmentSchema, real, path.join(folder, '.env'));
}
