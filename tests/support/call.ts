import postgres, { type Sql } from 'postgres';

/** What an API function answered: one JSON object. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at fields that differ from call to call
export type Answer = Record<string, any>;

/** An error that the database raised. */
export type DatabaseError = InstanceType<typeof postgres.PostgresError>;

/** Calls a function of schema public with named arguments, as the Data API does, and returns its JSON. */
export async function call(sql: Sql, name: string, args: Record<string, unknown> = {}): Promise<Answer> {
  const names = Object.keys(args);
  const list = names.map((argument, i) => `${argument} => $${i + 1}`).join(', ');
  const [row] = await sql.unsafe<{ answer: Answer }[]>(
    `select public.${name}(${list}) as answer`,
    Object.values(args) as never[],
  );
  if (!row) throw new Error(`${name} returned no row`);
  return row.answer;
}

/** The error of a statement that must fail. */
export async function refusal(statement: PromiseLike<unknown>): Promise<DatabaseError> {
  try {
    await statement;
  } catch (error) {
    if (error instanceof postgres.PostgresError) return error;
    throw error;
  }
  throw new Error('the statement was expected to fail and did not');
}

/** One value: the first column of the first row. */
export async function value<T = unknown>(sql: Sql, query: string, args: unknown[] = []): Promise<T> {
  const [row] = await sql.unsafe(query, args as never[]);
  return Object.values(row ?? {})[0] as T;
}
