/** Compares what is installed with what should be. */
import { knownEngine } from '../../functions/_shared/engine.ts';
import type { Part } from '../install/parts.ts';
import { expectation } from './expected.ts';
import type { Installation } from './installation.ts';

/** Every kind of finding. */
export const codes = [
  'engine_newer',
  'engine_older',
  'function_missing',
  'function_changed',
  'function_unknown',
  'function_overloaded',
  'function_open',
  'function_closed',
  'relation_missing',
  'relation_open',
  'relation_closed',
  'schema_open',
  'comment_changed',
  'owner_differs',
  'trigger_missing',
  'trigger_disabled',
  'trigger_orphaned',
  'undo_missing',
  'undo_orphaned',
  'job_orphaned',
  'signals_unreadable',
  'way_missing',
  'notices_given_up',
  'not_installed',
  'not_callable',
  'database_unverified',
  'database_unreachable',
] as const;

export interface Finding {
  severity: 'error' | 'warning';
  code: (typeof codes)[number];
  /** What it is about, as SQL names it. */
  object: string;
  message: string;
  remedy: string;
}

type Installed = Installation['functions'][number];

const push = 'Push the migrations of this version: npx --no imago install, then npx supabase db push.';
const restore =
  'Nothing runs this again by itself: run its definition from the migration of Imago that holds it, or remove Imago and install it again.';

/** Everything that is not as it should be; empty where all is. */
export function diagnose(installation: Installation, parts: readonly Part[]): Finding[] {
  const version = checkVersion(installation);
  // Another version has other functions: comparing them would only hide what is to be done.
  if (version.length > 0) return version;
  return [
    ...checkFunctions(installation, parts),
    ...checkRelations(installation, parts),
    ...checkSchemas(installation),
    ...checkTriggers(installation),
    ...checkUndo(installation),
    ...checkJobs(installation),
    ...checkSignals(installation),
    ...checkNotices(installation),
  ];
}

function checkVersion({ version }: Installation): Finding[] {
  const message = `The engine in the database is version ${version}, and this command knows version ${knownEngine}.`;
  if (version > knownEngine) {
    const remedy = 'Upgrade the package imago, and deploy its edge functions again.';
    return [{ severity: 'error', code: 'engine_newer', object: 'imago', message, remedy }];
  }
  if (version < knownEngine) {
    return [{ severity: 'error', code: 'engine_older', object: 'imago', message, remedy: push }];
  }
  return [];
}

/** The parts that are installed: the engine, and the plans that the database knows. */
function installedParts({ plans }: Installation, parts: readonly Part[]): Part[] {
  return parts.filter(({ plan }) => plan === undefined || plans.includes(plan));
}

function schemaOf(name: string): string {
  return name.split('.')[0] ?? '';
}

function checkFunctions(installation: Installation, all: readonly Part[]): Finding[] {
  const parts = installedParts(installation, all);
  const expected = expectation(parts).functions;
  const findings: Finding[] = [];
  const owner = installation.schemas.find(({ name }) => name === 'imago')?.owner;
  const byName = Map.groupBy(installation.functions, ({ name }) => name);
  for (const [name, { body, comment, definer }] of expected) {
    const found = byName.get(name) ?? [];
    const ours = found.find((candidate) => candidate.body === body) ?? found[0];
    if (!ours) {
      findings.push({
        severity: 'error',
        code: 'function_missing',
        object: name,
        message: `The function ${name} is missing.`,
        remedy: restore,
      });
      continue;
    }
    const object = `${name}(${ours.arguments})`;
    if (ours.body !== body || ours.definer !== definer || !ours.path_is_set) {
      findings.push({
        // A plan's functions may be replaced on purpose, to give rows other values.
        severity: ['imago', 'public'].includes(schemaOf(name)) ? 'error' : 'warning',
        code: 'function_changed',
        object,
        message: `The function ${object} is not as this version has it.`,
        remedy: restore,
      });
    }
    if (comment !== undefined && ours.comment !== comment) {
      findings.push({
        severity: 'warning',
        code: 'comment_changed',
        object,
        message: `The comment of function ${object} is not as this version has it.`,
        remedy:
          'Comments of functions in schema public mark them as ours: write it again from the migration.',
      });
    }
    for (const other of found.filter((candidate) => candidate !== ours)) {
      findings.push({
        severity: 'error',
        code: 'function_overloaded',
        object: `${name}(${other.arguments})`,
        message: `A second function has the name ${name}, so the Data API refuses calls of either.`,
        remedy: `Rename or drop it: drop function ${name}(${other.arguments});`,
      });
    }
    findings.push(...checkRights(object, ours, owner));
  }
  return [...findings, ...unknownFunctions(installation, parts, expected)];
}

/** A function in a schema of ours that this version does not have. */
function unknownFunctions(
  { functions }: Installation,
  parts: readonly Part[],
  expected: ReadonlyMap<string, unknown>,
): Finding[] {
  const plans = new Set(parts.flatMap(({ plan }) => plan ?? []));
  return functions
    .filter(({ name }) => !expected.has(name) && !isMadeByEngine(name, plans))
    .filter(({ name }) => schemaOf(name) === 'imago' || plans.has(schemaOf(name)))
    .map(({ name, arguments: types }) => ({
      severity: 'warning',
      code: 'function_unknown',
      object: `${name}(${types})`,
      message: `The function ${name}(${types}) is in a schema of Imago, and not of this version.`,
      remedy: `Move it to a schema of yours, or drop it: drop function ${name}(${types});`,
    }));
}

/** create_plan makes these for a plan that has none of its own. */
function isMadeByEngine(name: string, plans: ReadonlySet<string>): boolean {
  return plans.has(schemaOf(name)) && /\.(preflight|statistics)$/.test(name);
}

/** What everybody may call, as every writer of a table of the app does by its triggers; so everybody may use its schema. */
const forEverybody = { schema: 'imago', routine: 'imago.in_batch()' };

function checkRights(object: string, ours: Installed, owner: string | undefined): Finding[] {
  const findings: Finding[] = [];
  if (object === forEverybody.routine) {
    if (!ours.open_to.includes('public')) {
      findings.push({
        severity: 'error',
        code: 'function_closed',
        object,
        message: `The function ${object} may not be called by everybody, as triggers of the app do.`,
        remedy: `grant usage on schema ${forEverybody.schema} to public; grant execute on function ${object} to public;`,
      });
    }
  } else if (ours.open_to.length > 0) {
    findings.push({
      severity: 'error',
      code: 'function_open',
      object,
      message: `The function ${object} may be called by ${ours.open_to.join(', ')}.`,
      remedy: `revoke all on function ${object} from public, anon, authenticated;`,
    });
  }
  if (schemaOf(object) === 'public' && !ours.for_service_role) {
    findings.push({
      severity: 'error',
      code: 'function_closed',
      object,
      message: `The function ${object} may not be called by service_role.`,
      remedy: `grant execute on function ${object} to service_role;`,
    });
  }
  if (owner !== undefined && ours.owner !== owner) {
    findings.push({
      severity: 'error',
      code: 'owner_differs',
      object,
      message: `The function ${object} belongs to ${ours.owner}, and the schema imago to ${owner}.`,
      // Only its owner could give it away; and on Supabase nobody is a superuser.
      remedy: `Drop it, which ${owner} may as the owner of the schema, and run its definition from the migration of Imago that holds it: drop function ${object};`,
    });
  }
  return findings;
}

function checkRelations(installation: Installation, all: readonly Part[]): Finding[] {
  const findings: Finding[] = [];
  const byName = new Map(installation.relations.map((relation) => [relation.name, relation]));
  for (const [object, comment] of expectation(installedParts(installation, all)).relations) {
    const found = byName.get(object);
    if (!found) {
      findings.push({
        severity: 'error',
        code: 'relation_missing',
        object,
        message: `${object} is missing.`,
        remedy: restore,
      });
    } else if (comment !== undefined && found.comment !== comment) {
      findings.push({
        severity: 'warning',
        code: 'comment_changed',
        object,
        message: `The comment of ${object} is not as this version has it.`,
        remedy: 'Write it again from the migration.',
      });
    }
  }
  for (const { name: object, open_to, for_service_role } of installation.relations) {
    if (open_to.length > 0) {
      findings.push({
        severity: 'error',
        code: 'relation_open',
        object,
        message: `${object} is open to ${open_to.join(', ')}.`,
        remedy: `revoke all on ${object} from public, anon, authenticated;`,
      });
    }
    if (object === 'public.migration_log' && !for_service_role) {
      findings.push({
        severity: 'error',
        code: 'relation_closed',
        object,
        message: `${object} cannot be read by service_role.`,
        remedy: `grant select on ${object} to service_role;`,
      });
    }
  }
  return findings;
}

function checkSchemas({ schemas }: Installation): Finding[] {
  return schemas
    .filter(({ name, open_to }) => name !== forEverybody.schema && open_to.length > 0)
    .map(({ name, open_to }) => ({
      severity: 'error',
      code: 'schema_open',
      object: name,
      message: `The schema ${name} may be used by ${open_to.join(', ')}.`,
      remedy: `revoke all on schema ${name} from public, anon, authenticated;`,
    }));
}

function checkTriggers({ triggers }: Installation): Finding[] {
  return triggers.flatMap(({ name, relation, plan, state }): Finding[] => {
    const object = `trigger "${name}" on ${relation}`;
    switch (state) {
      case 'missing':
        return [
          {
            severity: 'error',
            code: 'trigger_missing',
            object,
            message: `The ${object} is missing: what plan ${plan} writes there is not journaled, or not kept in step.`,
            remedy: 'Pause the migration; roll it back and start again, which installs it again.',
          },
        ];
      case 'disabled':
        return [
          {
            severity: 'error',
            code: 'trigger_disabled',
            object,
            message: `The ${object} is disabled: what plan ${plan} writes there is not journaled, or not kept in step.`,
            remedy: `alter table ${relation} enable trigger "${name}";`,
          },
        ];
      case 'orphaned':
        return [
          {
            severity: 'warning',
            code: 'trigger_orphaned',
            object,
            message: `The ${object} is Imago's, and no plan knows it.`,
            remedy: `drop trigger "${name}" on ${relation};`,
          },
        ];
      default:
        return [];
    }
  });
}

function checkUndo({ undo }: Installation): Finding[] {
  return undo.flatMap(({ name, kind, plan, bytes, state }): Finding[] => {
    if (state === 'missing') {
      return [
        {
          severity: 'error',
          code: 'undo_missing',
          object: name,
          message: `The ${kind} ${name} of plan ${plan} is missing: what was written cannot be taken back whole.`,
          remedy: 'Stop the migration. Restore the journal from a backup if you need the way back.',
        },
      ];
    }
    if (state !== 'orphaned') return [];
    const size = bytes === null ? '' : ` It takes ${Math.ceil(bytes / 1024).toLocaleString('en-US')} kB.`;
    return [
      {
        severity: 'warning',
        code: 'undo_orphaned',
        object: name,
        message: `The ${kind} ${name} is of no plan.${size}`,
        remedy:
          kind === 'table'
            ? `Look what it holds; if you do not need it: drop table ${name};`
            : `drop function ${name}();`,
      },
    ];
  });
}

function checkJobs({ cron }: Installation): Finding[] {
  return cron.jobs
    .filter(({ state }) => state === 'orphaned')
    .map(({ name }) => ({
      severity: 'warning',
      code: 'job_orphaned',
      object: name,
      message: `The pg_cron job "${name}" drives a plan that is not installed.`,
      remedy: `select cron.unschedule('${name.replaceAll("'", "''")}');`,
    }));
}

function checkSignals({ governor }: Installation): Finding[] {
  if (!governor || governor.reads_all) return [];
  const { reader } = governor;
  return [
    {
      severity: 'warning',
      code: 'signals_unreadable',
      object: reader,
      message: `The role ${reader}, as which the governor looks at the server, has not the rights of pg_monitor: it cannot see replicas, the archive, the disk and what others do.`,
      remedy: `grant pg_monitor to ${reader}; as a role that may grant it. Where nobody may: throttle_migration(ignore => …) leaves signals out, and runs are held for those that it cannot read.`,
    },
  ];
}

function checkNotices({ notices }: Installation): Finding[] {
  if (!notices) return [];
  const working = notices.ways.filter((name) => !notices.missing.some(({ way }) => way === name));
  const again = `select notify_migrations('${working.join(',')}');`;
  return [
    ...notices.missing.map(
      ({ way, lacks }): Finding => ({
        severity: 'warning',
        code: 'way_missing',
        object: way,
        message: `People are to be told of runs by way of ${way}, and the database lacks ${lacks}: they are told nothing.`,
        remedy: `Create what is missing (docs/notify.md), or turn this way off: ${again}`,
      }),
    ),
    ...(notices.given_up > 0
      ? [
          {
            severity: 'warning',
            code: 'notices_given_up',
            object: notices.ways.join(', '),
            message: `${notices.given_up} messages about runs never arrived.`,
            remedy: `Correct the address and try it once: ${again}`,
          } satisfies Finding,
        ]
      : []),
  ];
}
