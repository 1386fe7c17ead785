/** `npm run torture`: faults of all kinds, one after the other, beside living writers; every row compared at each rest. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { generator } from '../support/random.ts';
import type { App } from './app.ts';
import { avatars } from './apps/avatars.ts';
import { profileGigs } from './apps/profile_gigs.ts';
import { resumeSkills } from './apps/resume_skills.ts';
import { stagingToProduction } from './apps/staging_to_production.ts';
import { faults, missingFaults } from './faults.ts';
import { Bag, go, type Leg, slicesOf } from './leg.ts';
import { type Machine, startMachine } from './machine.ts';
import { Tally } from './tally.ts';
import { closeWorld, makeTemplate, openWorld, type World } from './world.ts';

const help = `npm run torture -- [--minutes N] [--faults N] [--seed S] [--plan NAME]

Moves the apps of all plans there and back, again and again, while callers and writers are killed, the server is stopped
hard, replies are lost, rows are locked, triggers are disabled, the disk is full, the clock jumps. Whenever all rest, every
row is compared with a model that never saw Imago.

--minutes  ends after so many minutes (default: 5, without --faults)
--faults   ends after so many faults
--seed     chooses what goes wrong (default: by the clock; it is printed)
--plan     one plan instead of all

Ends with 0 when no row was wrong, with 1 otherwise, and then says which, and the seed.`;

const all: readonly App[] = [avatars, profileGigs, stagingToProduction, resumeSkills];
const print = (line: string) => console.log(line);

/** What went on before something was wrong: events, keys and codes. */
const lastLines = `
  select concat_ws(' ', to_char(created_at, 'HH24:MI:SS.MS'), event, entity, sqlstate, detail) as line
  from (select * from imago.log where level in ('warning', 'error') or event not in ('batch') order by id desc limit 40) l order by id`;

/** Who is at what, where nothing goes on. */
const sessions = `
  select concat_ws(' ', application_name, pid, state, wait_event, age(clock_timestamp(), state_change), left(query, 100)) as line
  from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by application_name, pid`;

/** A way that takes longer than this has come to a standstill. */
const longestMs = 4 * 60_000;

interface Given {
  seed: number;
  enough: (tally: Tally) => boolean;
  apps: readonly App[];
}

function read(): Given {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      faults: { type: 'string' },
      seed: { type: 'string' },
      plan: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    print(help);
    process.exit(0);
  }
  const number = (name: 'minutes' | 'faults' | 'seed', preset: number) => {
    const given = Number(values[name] ?? preset);
    if (!(given >= 0)) throw new Error(`--${name} is no number: ${values[name]}`);
    return given;
  };
  const apps = all.filter(({ plan }) => values.plan === undefined || plan === values.plan);
  if (apps.length === 0) throw new Error(`--plan knows ${all.map(({ plan }) => plan).join(', ')}`);
  const least = number('faults', 0);
  const end = Date.now() + number('minutes', least > 0 ? 24 * 60 : 5) * 60_000;
  return {
    seed: Math.trunc(number('seed', Date.now() % 1_000_000)),
    enough: (tally) => Date.now() > end || (least > 0 && tally.faults >= least),
    apps,
  };
}

async function torture({ seed, enough, apps }: Given, machine: Machine, tally: Tally): Promise<void> {
  const random = generator(seed);
  const bag = new Bag(seed);
  const templates = new Map<App, string>();
  for (const app of apps) templates.set(app, await makeTemplate(machine, app));
  for (let round = 1; !enough(tally); round++) {
    const app = apps[round % apps.length] as App;
    const world = await openWorld(machine, app, templates.get(app) ?? '', round, tally);
    const slices = slicesOf(world, Math.trunc(random() * 2 ** 31));
    const legs: Leg[] =
      random() < 0.5 ? ['there', 'back', 'half-way', 'back'] : ['half-way', 'back', 'there', 'back'];
    for (const leg of legs) {
      if (leg !== 'back' && enough(tally)) break;
      const going = go(world, leg, bag, slices, () => enough(tally));
      await inTime(going, world).catch((error: Error) => {
        tally.wrong.push(`${app.plan}, ${leg}: ${error.message}`);
      });
      if (tally.wrong.length > 0) {
        await explain(world);
        return;
      }
    }
    await closeWorld(world);
  }
}

async function inTime(going: Promise<void>, world: World): Promise<void> {
  const waiting = new AbortController();
  going.catch(() => {}).finally(() => waiting.abort());
  await Promise.race([
    going,
    delay(longestMs, undefined, { signal: waiting.signal }).then(
      () => {
        throw new Error(`nothing goes on: ${world.fault || 'between two faults'}`);
      },
      () => going,
    ),
  ]);
}

async function explain({ machine, database }: World): Promise<void> {
  const sql = machine.connect('direct', database, 'explaining', 'supabase_admin');
  for (const [title, query] of Object.entries({
    'The log of the run': lastLines,
    'Who is at what': sessions,
  })) {
    print(`${title}:`);
    for (const { line } of await sql.unsafe<{ line: string }[]>(query)) print(`  ${line}`);
  }
  await sql.end({ timeout: 0 });
}

const given = read();
const tally = new Tally(print);
tally.expect(faults.map(({ name }) => name));
const machine = await startMachine();
print(`Seed ${given.seed}; plans ${given.apps.map(({ plan }) => plan).join(', ')}`);
if (!machine.hasPooler) print('No pooler in between: pgbouncer is not installed.');
for (const [name, reason] of Object.entries(missingFaults())) print(`Left out: ${name}, for ${reason}.`);
const ticking = setInterval(() => tally.line(), 60_000);
try {
  await torture(given, machine, tally);
} finally {
  clearInterval(ticking);
  await machine.remove();
}
tally.table();
for (const line of tally.wrong.slice(0, 40)) print(`  ${line}`);
if (tally.wrong.length > 0) {
  print(`Again: npm run torture -- --faults ${tally.faults} --seed ${given.seed}`);
}
// What has come to a standstill would keep the process.
process.exit(tally.wrong.length > 0 ? 1 : 0);
