/** Which plans an app can be migrated with. */
import postgres from 'postgres';

/** Plans that have been run on it, the last one first; else those whose preflight finds no error. */
export async function fittingPlans(databaseUrl: string): Promise<string[]> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const run = await sql<{ plan: string }[]>`
      select plan from imago.run group by plan order by max(id) desc`;
    if (run.length > 0) return run.map(({ plan }) => plan);
    const fitting = await sql<{ plan: string }[]>`
      select p.name as plan from imago.plan p
      where not exists (select from imago.preflight(p) found where found.severity = 'error')
      order by p.name`;
    return fitting.map(({ plan }) => plan);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
