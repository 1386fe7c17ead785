/** `db check`: whether database, migrations and models say the same. */
import {
  type Catalog,
  compareCatalogs,
  type Difference,
  describeDifference,
  essential,
  readCatalog,
  withoutOwnSettings,
} from './catalog.ts';
import type { Context, Ending } from './context.ts';
import { compareHistory, readHistory } from './history.ts';
import { buildModels } from './migrate.ts';
import { type Project, readProject, type Version } from './project.ts';
import { Shadow, type Shadows } from './shadow.ts';
import { toJson, troubles } from './status.ts';

/** A difference, with where it is. */
interface Drift {
  between: 'migrations and database' | 'migrations and models';
  object: string;
  /** What is another one in it, where it is there. */
  aspects: string[];
  text: string;
}

export async function check(context: Context): Promise<Ending> {
  const project = await readProject(context.folder);
  const { sql } = await context.connect();
  const standing = compareHistory(project, await readHistory(sql));
  const shadows = await context.shadows();
  const applied = await catalogOf(shadows, (shadow) => shadow.apply(standing.applied));
  const { catalog: database } = withoutOwnSettings(await readCatalog(sql), applied);
  const all =
    standing.pending.length === 0
      ? applied
      : await catalogOf(shadows, (shadow) => shadow.apply(project.versions));
  const drift = [
    ...essential(compareCatalogs(asFilled(applied, database), database)).map(inDatabase),
    ...(project.models.length === 0
      ? []
      : essential(compareCatalogs(all, await modelled(shadows, project))).map(inModels)),
  ];
  const pending = standing.pending.map(pendingLine);
  const lines = [...troubles(standing), ...pending, ...drift.map(({ text }) => `Drift     ${text}`)];
  const isClean = lines.length === 0;
  const next = advice(context.program, project, drift, standing.pending);
  return {
    status: isClean ? 'done' : 'drift',
    message: isClean
      ? `Database, migrations${project.models.length > 0 ? ' and models' : ''} say the same.`
      : `${lines.length} ${lines.length === 1 ? 'finding' : 'findings'}.`,
    lines,
    ...(next.length > 0 && { next }),
    data: { current: standing.current, ...toJson(standing), drift },
  };
}

/** A materialized view that the versions leave empty is there to be filled. */
function asFilled(applied: Catalog, database: Catalog): Catalog {
  const empty = 'not populated';
  return new Map(
    [...applied].map(([name, object]) =>
      database.get(name)?.aspects.has(empty)
        ? [name, object]
        : [name, { ...object, aspects: new Map([...object.aspects].filter(([aspect]) => aspect !== empty)) }],
    ),
  );
}

async function modelled(shadows: Shadows, project: Project): Promise<Catalog> {
  return await catalogOf(shadows, (shadow) => buildModels(shadow, project));
}

async function catalogOf(shadows: Shadows, build: (shadow: Shadow) => Promise<void>): Promise<Catalog> {
  const shadow = await Shadow.create(shadows);
  try {
    await build(shadow);
    return await shadow.catalog();
  } finally {
    await shadow.drop();
  }
}

function inDatabase(difference: Difference): Drift {
  const { change, object, aspects } = difference;
  const where = {
    added: 'is in the database, and no applied version makes it',
    removed: 'is not in the database, though an applied version makes it',
    changed: 'is another one in the database than the applied versions make',
  };
  return {
    between: 'migrations and database',
    object,
    aspects,
    text: `${describeDifference(difference)} ${where[change]}`,
  };
}

function inModels(difference: Difference): Drift {
  const { change, object, aspects } = difference;
  const where = {
    added: 'is in the models, and no version makes it',
    removed: 'is made by the versions, and no model has it',
    changed: 'is another one in the models than the versions make',
  };
  return {
    between: 'migrations and models',
    object,
    aspects,
    text: `${describeDifference(difference)} ${where[change]}`,
  };
}

function pendingLine({ file }: Version): string {
  return `Pending   ${file} has not been applied`;
}

function advice(
  program: string,
  project: Project,
  drift: readonly Drift[],
  pending: readonly Version[],
): string[] {
  const has = (between: Drift['between']) => drift.some((item) => item.between === between);
  return [
    ...(pending.length > 0 ? [`Not up to date: ${program} upgrade`] : []),
    ...(has('migrations and models')
      ? [`Write what the models have and the versions have not: ${program} migrate "message"`]
      : []),
    ...(has('migrations and database')
      ? [
          project.models.length > 0
            ? `Where the database is right: put it into the models, ${program} migrate "message", ${program} stamp VERSION. Where the versions are: change the database.`
            : 'Where the database is right: put it into a version and stamp that. Where the versions are: change the database.',
        ]
      : []),
  ];
}
