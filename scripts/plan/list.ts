/** What plans there are: in the project, and in a database. */
import type { Sql } from 'postgres';
import { builtOf, type Plan, type Project, planNames, readMark, readPlan } from './project.ts';

/** One plan, wherever it is. */
export interface Listed {
  plan: string;
  /** In the folder; null where it has none. */
  local: Plan['standing'] | null;
  /** The migrations that were built from it, from the project's folder. */
  migrations: string[];
  /** In the database, as far as it has come; null where it is not there. */
  installed: string | null;
  title: string | null;
}

/** What a database has. */
interface Installed {
  name: string;
  title: string;
  phase: string;
}

/** All of them by name. */
export function listPlans(project: Project, installed: readonly Installed[]): Listed[] {
  const local = planNames(project);
  const built = project.migrations
    .flatMap(({ text }) => readMark(text)?.plan ?? [])
    .filter((plan) => builtOf(project, plan).length > 0);
  const names = [...new Set([...local, ...built, ...installed.map(({ name }) => name)])].sort();
  return names.map((plan) => {
    const there = installed.find(({ name }) => name === plan);
    const own = local.includes(plan) ? readPlan(project, plan) : undefined;
    return {
      plan,
      local: own?.standing ?? null,
      migrations: builtOf(project, plan).map(({ file }) => file),
      installed: there?.phase ?? null,
      title: there?.title ?? null,
    };
  });
}

/** What is installed in a database, with how far each plan has come; undefined where Imago is not. */
export async function installedPlans(sql: Sql): Promise<Installed[] | undefined> {
  const [imago] = await sql<{ there: boolean }[]>`select to_regclass('imago.plan') is not null as there`;
  if (!imago?.there) return undefined;
  return [
    ...(await sql<Installed[]>`
      select p.name, p.title, case
        when p.finalized_at is not null then 'finalized'
        when p.closed_at is not null then 'finalizing'
        when p.prepared_at is not null then 'prepared'
        else 'registered' end as phase
      from imago.plan p order by 1`),
  ];
}
