import type { Sql, TransactionSql } from 'postgres';

/** Does something as a role of the Data API does it, with the claims of a signed-in user where one is given. */
export async function asRole<T>(
  sql: Sql,
  role: string,
  user: string | null,
  work: (tx: TransactionSql) => Promise<T>,
): Promise<T> {
  return (await sql.begin(async (tx) => {
    await tx`select set_config('request.jwt.claims', ${JSON.stringify({ sub: user, role })}, true)`;
    await tx.unsafe(`set local role ${role}`);
    return await work(tx);
  })) as T;
}
