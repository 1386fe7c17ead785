/** Runs the conformance suite on a plan of a project, on a PostgreSQL of its own. */

import type { Sql } from 'postgres';
import type { Behaviour } from './behaviour.ts';
import { checksOf, withoutOutside } from './conformance/suite.ts';
import { outsideOf } from './external.ts';
import type { Plan, Project } from './project.ts';
import { appMigrations, engineOf, runAll, runPlan } from './schema.ts';
import type { Scratch } from './scratch.ts';

/** How one check has ended. */
export interface Result {
  title: string;
  /** Undefined where it holds. */
  message: string | undefined;
  /** Why it was not tried. */
  leftOut?: string;
}

/** Gives each result as soon as there is one. */
export async function* testPlan(
  scratch: Scratch,
  project: Project,
  plan: Plan,
  { fixture, entities, makeRows }: Behaviour,
): AsyncGenerator<Result> {
  const bare = await scratch.database();
  await runAll(bare.sql, engineOf(project));
  await quieten(bare.sql);
  await runPlan(bare.sql, plan);
  const outside = await outsideOf(bare.sql, project, plan.name);
  await bare.sql.end();
  const app = await scratch.database();
  await runAll(app.sql, [...engineOf(project), ...appMigrations(project, plan)]);
  await quieten(app.sql);
  await makeRows(app.sql, entities);
  await runPlan(app.sql, plan);
  await app.sql.end();
  const place = {
    bare: () => scratch.database(bare.name),
    app: () => scratch.database(app.name),
    copy: (name: string) => scratch.database(name),
  };
  for (const { title, run } of checksOf(plan.name, { ...fixture, ...(outside && { outside }) }, place)) {
    const message = await run().then(
      () => undefined,
      (raised: unknown) => said(raised),
    );
    yield { title, message };
  }
  if (outside) for (const [title, leftOut] of withoutOutside) yield { title, message: undefined, leftOut };
}

/** Nobody else is on this server, which is at work all the time: no run is to be slowed for that. */
async function quieten(sql: Sql): Promise<void> {
  await sql`update imago.signal set slow = null, hold = null where name in ('checkpoints', 'active')`;
}

/** What a check says, or the database: made-up rows are all that it can quote. */
function said(raised: unknown): string {
  const { code, message } = raised as { code?: string; message?: string };
  const named = code === undefined || code === 'ERR_ASSERTION' ? '' : `${code}: `;
  return `${named}${message ?? String(raised)}`.trim();
}
