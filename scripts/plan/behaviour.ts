/** What a plan of a project is tried by: test/conformance.toml and test/rows.sql, which only SQL is in. */
import type { ISql, Sql } from 'postgres';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import type { Fixture } from './conformance/fixture.ts';
import { reason } from './finding.ts';
import { Problem } from './problem.ts';
import { type Project, plansFolder } from './project.ts';
import { sampleSchema } from './sample.ts';

const text = z.string().trim().min(1);

const behaviourSchema = z
  .strictObject({
    entities: z.int().min(10).max(10_000).default(60),
    differing: text,
    still: z.boolean().default(false),
    expect: z.array(z.strictObject({ name: text, wrong: text })).default([]),
    writers: z
      .array(
        z.strictObject({
          name: text,
          side: z.enum(['old', 'new']),
          sql: text,
          conflicts: z.boolean().default(false),
        }),
      )
      .default([]),
    made: z.record(z.string(), text).default({}),
    poison: text.optional(),
    mend: text.optional(),
    finalized: text.optional(),
  })
  .refine(({ poison, mend }) => (poison === undefined) === (mend === undefined), {
    message: 'poison and mend go together',
  });

/** What a plan is tried by. */
export interface Behaviour {
  fixture: Fixture;
  entities: number;
  /** Makes so many rows, in an app that has none. */
  makeRows(sql: Sql, entities: number): Promise<void>;
  /** Where its rows come from, so that you can fix them. */
  rowsFile: string;
}

/** Reads what a plan is tried by. */
export function readBehaviour(project: Project, plan: string): Behaviour {
  const file = `${plansFolder}/${plan}/test/conformance.toml`;
  const rowsFile = `${plansFolder}/${plan}/test/rows.sql`;
  const [behaviour, rows] = [project.read(file), project.read(rowsFile)];
  if (behaviour === undefined || rows === undefined) {
    throw new Problem(
      'bad-test',
      `${behaviour === undefined ? file : rowsFile} is missing.`,
      'It says what the plan is tried by; a new plan shows how.',
    );
  }
  const { entities, expect: expectations, writers, poison, mend, finalized, ...rest } = read(file, behaviour);
  const numbered = (sql: string, n: number) => sql.replaceAll(/(?<!:):n\b/g, String(n));
  const onKey = (sql: string) => (db: Sql, key: string) =>
    db.unsafe(sql.replaceAll(/(?<!:):key\b/g, `'${key.replaceAll("'", "''")}'`));
  return {
    rowsFile,
    entities,
    fixture: {
      ...rest,
      entities,
      expectations,
      writers: writers.map(({ sql, ...writer }) => ({
        ...writer,
        write: (db: ISql, n: number) => db.unsafe(numbered(sql, n)),
      })),
      ...(poison !== undefined && mend !== undefined && { poison: onKey(poison), mend: onKey(mend) }),
      ...(finalized !== undefined && {
        finalized: async (db: Sql) => {
          const wrong = await db.unsafe(finalized);
          if (wrong.length > 0)
            throw new Error(`once finalized, ${wrong.length} rows are wrong: ${finalized}`);
        },
      }),
    },
    async makeRows(sql, count) {
      await sql
        .begin(async (tx) => {
          await tx.unsafe(`create schema ${sampleSchema}`);
          await tx.unsafe(rows);
          await tx.unsafe(`select ${sampleSchema}.rows(1, ${count})`);
        })
        .catch((cause) => {
          throw new Problem(
            'rows-fail',
            `${rowsFile} cannot make its rows (${reason(cause)}).`,
            'The app asks for more than what was made up: change the values there.',
            { cause },
          );
        });
      await sql`analyze`;
    },
  };
}

function read(file: string, behaviour: string): z.output<typeof behaviourSchema> {
  let table: unknown;
  try {
    table = parse(behaviour);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [what = ''] = cause.message.split('\n');
    throw new Problem('bad-test', `${file}, line ${cause.line}: ${what}.`, 'Fix that line.', { cause });
  }
  const parsed = behaviourSchema.safeParse(table);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(({ path: at, message }) =>
    [at.join('.'), message].filter(Boolean).join(': '),
  );
  throw new Problem(
    'bad-test',
    `${file} cannot be read: ${wrong.join('; ')}.`,
    'Fix that; a new plan shows how.',
    {
      cause: parsed.error,
    },
  );
}
