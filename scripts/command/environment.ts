/** The environment of the command: what it reads, and from where. */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { UsageError } from './usage.ts';

/** An empty variable counts as one that is not set. */
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const text = optional(z.string().trim());

const environmentSchema = z.object({
  SUPABASE_URL: text,
  SUPABASE_SECRET_KEY: text,
  SUPABASE_SERVICE_ROLE_KEY: text,
  SUPABASE_PUBLISHABLE_KEY: text,
  SUPABASE_ANON_KEY: text,
  DATABASE_URL: text,
  PGSSLROOTCERT: text,
  PG_DUMP: text,
  PATH: text,
  MIGRATION_BATCH_SIZE: optional(
    z.coerce.number('a number').int('a whole number').min(1, 'at least 1').max(10_000, 'at most 10000'),
  ),
  MIGRATION_LOG_LEVEL: optional(
    z.enum(['debug', 'info', 'warn', 'error'], 'one of debug, info, warn, error'),
  ),
});

export type Environment = z.output<typeof environmentSchema>;

/** Reads the environment and, where it leaves something open, the file `.env` of the working directory. */
export function readEnvironment(real: NodeJS.ProcessEnv = process.env, file = '.env'): Environment {
  const parsed = environmentSchema.safeParse({ ...readEnvFile(file), ...real });
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => `${issue.path.join('.')} must be ${issue.message}`);
  throw new UsageError(`${wrong.join('; ')}.`, 'Correct it in the environment or in .env.');
}

function readEnvFile(file: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
