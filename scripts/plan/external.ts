/** Stages that are done outside of the database: what check and test make of them. */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import type { ClaimAnswer, ReturnAnswer } from '../../functions/_shared/answers.ts';
import { workClaim } from '../../functions/_shared/external.ts';
import { externalFile, externalsOf } from '../migrate/external.ts';
import { call } from './act.ts';
import type { Outside } from './conformance/callers.ts';
import { type Finding, warning } from './finding.ts';
import { Problem } from './problem.ts';
import { type Project, plansFolder } from './project.ts';

/** Numbers of the stages of a plan that are done outside. */
export async function externalStages(sql: Sql, plan: string): Promise<number[]> {
  const rows = await sql<{ stage: number }[]>`
    select s.stage from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = ${plan} and s.external order by 1`;
  return rows.map(({ stage }) => stage);
}

/** What check does not try, since nobody calls a function of yours there. */
export function notTried(stages: readonly number[]): Finding {
  const named = stages.join(' and ');
  return warning(
    'apply',
    `stage ${named} is done outside: apply, the way back and the checks were not tried`,
    'Try these by imago plan test, which calls the function.',
  );
}

/** What works the stages that are done outside, by the functions in the plan's folder; undefined where none is. */
export async function outsideOf(sql: Sql, project: Project, plan: string): Promise<Outside | undefined> {
  const stages = await externalStages(sql, plan);
  if (stages.length === 0) return undefined;
  const functions = await externalsOf(path.join(project.folder, plansFolder, plan));
  const missing = stages.find((stage) => !functions.has(stage));
  if (missing !== undefined) {
    throw new Problem(
      'external-stage',
      `Stage ${missing} of the plan ${plan} is done outside of the database, and ${plansFolder}/${plan}/${externalFile(missing)} is missing.`,
      'Write its function there; imago plan new --kind external shows how.',
    );
  }
  return async (db, { stage: number, run }, size) => {
    const found = functions.get(number ?? 1);
    if (!found) throw new Error(`no function for stage ${number}`);
    const { stage } = found;
    return await workClaim({
      stage: size === undefined ? stage : { ...stage, options: { ...stage.options, batchSize: size } },
      signal: new AbortController().signal,
      pause: (ms) => delay(ms),
      claim: async (batch_size, lease_ms) =>
        (await call(db, 'claim_entities', { plan, run, batch_size, lease_ms })) as ClaimAnswer,
      bringBack: async (token, results, failures) =>
        (await call(db, 'return_entities', { plan, run, token, results, failures })) as ReturnAnswer,
    });
  };
}
