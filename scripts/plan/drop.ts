/** Takes out a plan whose folder is gone, by one more migration. */
import type { Sql } from 'postgres';
import { nextVersion } from '../db/project.ts';
import { readParts } from '../install/parts.ts';
import { places } from '../install/project.ts';
import type { Work } from './build.ts';
import { reason } from './finding.ts';
import { Problem } from './problem.ts';
import { asDropMigration, builtOf, droppedBy, type Project, planNames, plansFolder } from './project.ts';
import { runAll } from './schema.ts';
import type { Scratch } from './scratch.ts';

/** What keeps a plan in the database. */
export interface Obstacle {
  reason: string;
  remedy: string;
}

/** What speaks against taking a plan out of this database; undefined where nothing does, or its engine cannot tell. */
export async function dropObstacle(sql: Sql, plan: string): Promise<Obstacle | undefined> {
  const [engine] = await sql<
    { knows: boolean }[]
  >`select to_regprocedure('imago.drop_obstacles(imago.plan)') is not null as knows`;
  if (!engine?.knows) return undefined;
  const [found] = await sql<Obstacle[]>`
    select o.reason, o.remedy from imago.plan p cross join lateral imago.drop_obstacles(p) o where p.name = ${plan}`;
  return found;
}

/** Refuses a plan that is not there, has its folder, or whose database holds on to it. */
export function expectDroppable(
  project: Project,
  plan: string,
  seen: { there: unknown; obstacle: Obstacle | undefined } | undefined,
): void {
  if (planNames(project).includes(plan)) {
    throw new Problem(
      'folder-there',
      `The plan ${plan} still has its folder, ${plansFolder}/${plan}/, from which build would add it again.`,
      `Delete the folder first: rm -r ${plansFolder}/${plan}`,
    );
  }
  if (readParts().some((part) => part.plan === plan)) {
    throw new Problem(
      'comes-with-imago',
      `${plan} is a plan that comes with Imago, and is taken out with it.`,
      'To remove Imago with all of its plans: npx --no imago install --uninstall',
    );
  }
  const dropped = droppedBy(project, plan);
  if (dropped !== undefined) {
    throw new Problem(
      'no-such-plan',
      `The plan ${plan} is taken out already: ${dropped}.`,
      'Push it where that is not done yet: npx supabase db push',
    );
  }
  if (builtOf(project, plan).length === 0 && seen?.there === undefined) {
    throw new Problem(
      'no-such-plan',
      `There is no plan ${plan}: neither a migration of the project nor the database has it.`,
      'See which there are: npx --no imago plan list',
    );
  }
  if (seen?.obstacle !== undefined) {
    throw new Problem(
      'plan-in-use',
      `The plan ${plan} cannot be dropped: ${seen.obstacle.reason}.`,
      seen.obstacle.remedy,
    );
  }
}

/** Works out the migration, and runs it behind all others. Writes nothing. */
export async function dropWork(project: Project, plan: string, scratch: Scratch): Promise<Work> {
  const body = asDropMigration(plan);
  const { sql, drop } = await scratch.database();
  try {
    await runAll(sql, project.migrations);
    await sql
      .begin((tx) => tx.unsafe(body))
      .catch((cause) => {
        throw new Problem(
          'plan-fails',
          `The plan ${plan} cannot be taken out (${reason(cause)}).`,
          cause?.code === '42883'
            ? 'The engine of the project is too old for that: run npx --no imago install first, which adds the new one.'
            : 'Look at the migrations of the project that came after it.',
          { cause },
        );
      });
  } finally {
    await drop();
  }
  const file = `${places.migrations}/${nextVersion(project.migrations)}_imago_plan_${plan}_drop.sql`;
  return { changes: [{ file, before: undefined, after: body }], steps: [] };
}
