/** The environment of the command: what it reads, and from where. */
import { z } from 'zod';
import { readEnvFile } from './env-file.ts';
import { UsageError } from './usage.ts';

/** Either name of a key will do, so that the other may be left empty. */
const emptyIsUnset: ReadonlySet<string> = new Set([
  'SUPABASE_SECRET_KEY',
  'SUPABASE_SERVICE_ROLE_KEY',
  'SUPABASE_PUBLISHABLE_KEY',
  'SUPABASE_ANON_KEY',
  'SUPABASE_DB_PASSWORD',
  'PATH',
]);

/** What any command reads of the real environment alone: they say where the rest is. */
const placeNames = ['IMAGO_FOLDER', 'IMAGO_ENV_FILE'];

export const text = z.string().trim().optional();

const batchSize = 'a whole number from 1 to 10,000';

const environmentSchema = z.object({
  SUPABASE_URL: text,
  SUPABASE_SECRET_KEY: text,
  SUPABASE_SERVICE_ROLE_KEY: text,
  SUPABASE_PUBLISHABLE_KEY: text,
  SUPABASE_ANON_KEY: text,
  DATABASE_URL: text,
  PGSSLROOTCERT: text,
  PG_DUMP: text,
  IMAGO_NOTIFY_URL: text,
  PATH: text,
  MIGRATION_BATCH_SIZE: z
    .string()
    .regex(/^\d+$/, batchSize)
    .transform(Number)
    .pipe(z.number().min(1, batchSize).max(10_000, batchSize))
    .optional(),
  MIGRATION_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'], 'one of debug, info, warn, error')
    .optional(),
});

export type Environment = z.output<typeof environmentSchema>;

/** Reads the environment and, where it leaves something open, the file `.env` of the working directory. */
export function readEnvironment(real: NodeJS.ProcessEnv = process.env, file = '.env'): Environment {
  return readVariables(environmentSchema, real, file);
}

/** The same with other variables. IMAGO_ENV_FILE names another file. */
export function readVariables<Schema extends z.ZodObject>(
  schema: Schema,
  real: NodeJS.ProcessEnv,
  file: string,
): z.output<Schema> {
  const names = Object.keys(schema.shape);
  const place = real.IMAGO_ENV_FILE ?? file;
  const written = readEnvFile(place, [...names, ...placeNames], real.IMAGO_ENV_FILE !== undefined);
  const values: NodeJS.Dict<string> = {};
  for (const [name, { value, line }] of written) {
    const where = `${place}, line ${line}`;
    if (placeNames.includes(name)) {
      throw new UsageError(`${where}: ${name} is read from the environment only.`, 'Set it there.');
    }
    if (names.includes(name) && real[name] === undefined) values[name] = filled(name, value, where);
  }
  for (const name of names) {
    if (real[name] !== undefined) values[name] = filled(name, real[name], 'the environment');
  }
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => `${issue.path.join('.')} must be ${issue.message}`);
  throw new UsageError(`${wrong.join('; ')}.`, `Correct it in the environment or in ${place}.`);
}

/** Refuses a variable that says where to work and is empty, or nearly a path: nothing else is taken for it. */
export function expectPlaces(real: NodeJS.ProcessEnv = process.env): void {
  for (const name of placeNames) {
    const value = real[name];
    if (value === undefined) continue;
    filled(name, value, 'the environment');
    // The folder that a blank begins with is another one, somewhere below the working directory.
    if (value !== value.trim()) {
      throw new UsageError(`${name} begins or ends with a blank.`, `Set it to: ${value.trim()}`);
    }
  }
}

/** The value; undefined where an empty one may stand for none. */
function filled(name: string, value: string, where: string): string | undefined {
  if (value.trim() !== '') return value;
  if (emptyIsUnset.has(name)) return undefined;
  throw new UsageError(
    `${name} is set, but empty (${where}).`,
    'Give it a value, or take it away: an empty one is not taken for the default.',
  );
}
