/** Tells what is wrong with a plan, by running it on a database that is there for nothing else. */
import type { Sql } from 'postgres';
import { type Answer, call, callOut, takenBack } from './act.ts';
import { carelessness } from './catalog.ts';
import { concernedFindings } from './concerned.ts';
import { otherSchemas } from './conformance/rows.ts';
import { applyFindings } from './cost.ts';
import { externalStages, notTried } from './external.ts';
import { error, type Finding, reason, warning } from './finding.ts';
import { pathFindings } from './path.ts';
import { trespasses } from './promised.ts';
import { difference, rowCounts, tableFiles, tableSums } from './tables.ts';
import { openSources, visibilityFindings } from './visible.ts';

/** What is checked. */
export interface Subject {
  plan: string;
  /** SQL that registers it. */
  migration: string;
  /** Makes the app, with so many entities. */
  makeApp(sql: Sql, entities: number): Promise<void>;
}

/** So many entities: enough for a cost that grows to show, few enough for seconds. */
const ENTITIES = 400;

/** A finding that leaves nothing to look at behind it. */
class Stop extends Error {
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

/** Everything that is wrong, on a database that holds the engine and nothing else; `onStep` hears what is being done. */
export async function checkPlan(
  sql: Sql,
  subject: Subject,
  onStep: (text: string) => void = () => {},
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const parts: [string, (sql: Sql, subject: Subject) => Promise<Finding[]>][] = [
    ['Pushing it, with and without the app', push],
    ['Looking at it on the app', preflight],
    ['Rehearsing it', rehearse],
    ['Preparing it', prepare],
    ['Which rows it concerns', (db, { plan }) => concernedFindings(db, plan)],
    ['Comments and rights', (db, { plan }) => carelessness(db, plan)],
    ['The app’s code that it fires', (db, { plan }) => pathFindings(db, plan)],
    ['What it uses of the engine', (db, { plan }) => trespasses(db, plan)],
    ['Applying it in small batches', apply],
    ['Migrating, validating, rolling back', runWhole],
  ];
  for (const [text, part] of parts) {
    onStep(text);
    try {
      findings.push(...(await part(sql, subject)));
    } catch (raised) {
      if (!(raised instanceof Stop)) throw raised;
      findings.push(raised.finding);
      return findings;
    }
  }
  return findings;
}

async function push(sql: Sql, { migration, makeApp }: Subject): Promise<Finding[]> {
  await takenBack(sql, (tx) => tx.unsafe(migration)).catch((raised) => {
    throw new Stop(
      error(
        'push',
        `pushing fails where the app has no tables (${reason(raised)})`,
        'A migration is pushed together with all others: keep everything that needs a table of the app to the prepare steps.',
      ),
    );
  });
  await makeApp(sql, ENTITIES);
  const before = [...(await tableFiles(sql))];
  const locked = await sql
    .begin(async (tx) => {
      await tx.unsafe(migration);
      return await tx<{ name: string }[]>`
        select distinct format('%I.%I', n.nspname, c.relname) as name
        from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
        where l.pid = pg_backend_pid() and c.relkind in ('r', 'p') and n.nspname !~ ${otherSchemas}
          and not exists (select from imago.plan p where p.name = n.nspname)`;
    })
    .catch((raised) => {
      throw new Stop(error('push', `pushing fails (${reason(raised)})`, 'Fix the SQL of the plan.'));
    });
  const made = [...(await tableFiles(sql)).keys()].filter(
    (name) => !before.some(([known]) => known === name),
  );
  const touched = [...new Set([...locked.map(({ name }) => name), ...made])];
  return touched.map((name) =>
    error(
      'push',
      `pushing touches ${name}`,
      'Do it in a prepare step: those are short, bounded and repeated, a push is not.',
    ),
  );
}

async function preflight(sql: Sql, { plan }: Subject): Promise<Finding[]> {
  const { problems } = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' }).catch((raised) => {
    throw new Stop(error('preflight', `the preflight fails (${reason(raised)})`, `Fix ${plan}.preflight().`));
  });
  const findings = problems.map(({ severity, object, message, hint }: Answer) =>
    (severity === 'error' ? error : warning)('preflight', `${object} ${message}`, hint),
  );
  const bad = findings.find(({ severity }: Finding) => severity === 'error');
  if (bad) throw new Stop(bad);
  return findings;
}

/** The dry run compares what was written with what was declared. */
async function rehearse(sql: Sql, { plan }: Subject): Promise<Finding[]> {
  // Everything, whatever it takes: nobody else is there, and all failures are to be counted.
  const dry = await sql<{ answer: Answer }[]>`
    select imago.dry_run(${plan}, 'full', null, ${10 * 60_000}, '100%') as answer`.then(
    ([row]) => row?.answer as Answer,
    (raised) => raised,
  );
  if (dry instanceof Error) {
    const raised = dry as Error & { code?: string; hint?: string };
    if (raised.code === 'IM014') {
      return [
        error(
          'undeclared',
          raised.message,
          'Declare it in imago.plan_write (registration.sql), or stop writing it: what is not declared cannot be taken back.',
        ),
      ];
    }
    // Direct steps cannot be rehearsed; the real run below does them.
    if (raised.code === 'IM079') return [];
    throw new Stop(
      error('apply', `the dry run fails (${reason(raised)})`, raised.hint ?? 'Fix the SQL of the plan.'),
    );
  }
  const failures: Answer[] = dry.failures;
  const codes = [
    ...new Set(failures.map(({ sqlstate, raised_by }) => [sqlstate, raised_by].filter(Boolean).join(' in '))),
  ].join(', ');
  return failures.length === 0
    ? []
    : [
        error(
          'apply',
          `${dry.failed} of ${dry.failed + dry.migrated} entities cannot be moved (${codes})`,
          codes.includes('IM010')
            ? 'apply runs and leaves them pending: often the value that it writes is null.'
            : 'Call the apply function for one of them by hand to see the error.',
        ),
      ];
}

/** Prepare only adds: no row is written, no table is rewritten; and each step may be done twice. */
async function prepare(sql: Sql, { plan }: Subject): Promise<Finding[]> {
  const findings: Finding[] = [];
  await openSources(sql, plan);
  const before = await tableFiles(sql);
  const steps = await sql<{ name: string; routine: string }[]>`
    select name, routine from imago.plan_step where plan = ${plan} and phase = 'prepare' and not direct order by position`;
  await takenBack(sql, async (tx) => {
    for (const { name, routine } of steps) {
      const counts = await rowCounts(tx);
      for (const time of ['', ' a second time']) {
        await tx.unsafe(`select ${plan}.${routine}()`).catch((raised) => {
          throw new Stop(
            error(
              'prepare',
              `the step ${name} fails${time} (${reason(raised)})`,
              time
                ? 'Write it so that it may be done again: if not exists, or replace.'
                : `Fix ${plan}.${routine}().`,
            ),
          );
        });
      }
      const written = Object.entries(difference((await rowCounts(tx)).written, counts.written));
      for (const [table, rows] of written.filter(([table]) => before.has(table))) {
        findings.push(
          error(
            'prepare',
            `the step ${name} writes ${rows} rows of ${table}`,
            'Prepare only adds. Rows are moved by apply, in batches.',
          ),
        );
      }
    }
  });
  await callOut(sql, 'prepare_migration', { plan }).catch((raised) => {
    throw new Stop(
      error('prepare', `preparing fails (${reason(raised)})`, raised.hint ?? 'Fix the prepare steps.'),
    );
  });
  for (const [table, file] of await tableFiles(sql)) {
    if (before.has(table) && before.get(table) !== file) {
      findings.push(
        error(
          'prepare',
          `preparing rewrites all of ${table}`,
          'Add columns as nullable, or with a constant default.',
        ),
      );
    }
  }
  findings.push(...(await visibilityFindings(sql, plan, before)));
  return findings;
}

async function apply(sql: Sql, { plan }: Subject): Promise<Finding[]> {
  const external = await externalStages(sql, plan);
  return external.length > 0 ? [notTried(external)] : await applyFindings(sql, plan);
}

/** Forward, its checks, and back to where it was. */
async function runWhole(sql: Sql, { plan }: Subject): Promise<Finding[]> {
  if ((await externalStages(sql, plan)).length > 0) return [];
  const findings: Finding[] = [];
  const before = await tableSums(sql);
  const moved = await callOut(sql, 'migrate_batch', { plan });
  if (moved.status === 'failed') {
    throw new Stop(
      error(
        'apply',
        `the run stops (${moved.error?.code}: ${moved.error?.message})`,
        moved.error?.hint ?? '',
      ),
    );
  }
  const [checks] = await sql<{ errors: number; sync: number }[]>`
    select (select count(*)::int from imago.plan_check where plan = ${plan} and severity = 'error') as errors,
      (select count(*)::int from imago.plan_sync where plan = ${plan}) as sync`;
  if (checks?.errors === 0) {
    findings.push(
      error(
        'checks',
        'no check of severity error: nobody would notice what is wrong, and finalize would not refuse',
        'Add one to imago.plan_check that lists what is still on the old side.',
      ),
    );
  }
  if (checks?.sync === 0) {
    findings.push(
      warning(
        'sync',
        'no sync: what the app writes during the migration waits for the next call',
        'Add a row to imago.plan_sync.',
      ),
    );
  }
  if (moved.failures_left === 0) findings.push(...(await failingChecks(sql, plan)));
  const back = await callOut(sql, 'rollback_batch', { plan });
  if (back.state !== 'succeeded') {
    findings.push(
      error(
        'rollback',
        `the rollback ends ${back.state}, with ${back.conflicts} conflicts`,
        'Look what writes the declared columns besides apply.',
      ),
    );
  }
  const after = await tableSums(sql);
  for (const [table, sum] of Object.entries(before)) {
    if (after[table] !== sum) {
      findings.push(
        error(
          'rollback',
          `${table} is not as it was after forward and back`,
          'Declare all that apply writes there, or stop writing it.',
        ),
      );
    }
  }
  return findings;
}

/** Nothing is wrong after a whole run: a check that finds something is wrong itself, or apply is. */
async function failingChecks(sql: Sql, plan: string): Promise<Finding[]> {
  const answer = await callOut(sql, 'validate_migration', { plan });
  const own = answer.checks.filter(
    (check: Answer) => check.severity === 'error' && (check.found > 0 || check.error),
  );
  return own.map((check: Answer) =>
    error(
      'checks',
      check.error
        ? `check ${check.name} cannot be evaluated (${check.error.sqlstate ?? check.error.code})`
        : `check ${check.name} finds ${check.found} after a run without failures`,
      check.error ? 'Fix its query.' : 'Either apply leaves them, or the query is wrong.',
    ),
  );
}
