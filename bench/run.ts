/** `npm run bench`: Imago against other ways to do the same migration. `npm run bench -- --help` lists the options. */
import { duration, whole } from '../scripts/command/figures.ts';
import { endChildren } from './children.ts';
import { writeBlock } from './document.ts';
import { fleet } from './fleet.ts';
import { fleetSimulation } from './fleet-simulation.ts';
import { foreground } from './foreground/run.ts';
import { governor } from './governor.ts';
import { describeMachine } from './machine.ts';
import { type Measurement, measure, migrateTemplate } from './measure.ts';
import { alone, groupsOf, type MethodKey, methodOf } from './methods.ts';
import { type Options, parseOptions, Stop } from './options.ts';
import { comparePeers } from './peers/run.ts';
import { mean, middleRuns, type Results, toJson, toMarkdown, toText } from './report.ts';
import { createTemplate, type Server, startServer, type Template } from './server.ts';
import { slot } from './slot.ts';
import { versions } from './versions.ts';

/** The sizes are measured in so many rounds at most: a million users take minutes, in which the machine's moods even out. */
const sizeRounds = 2;

try {
  const [first = '', ...rest] = process.argv.slice(2);
  const others: Record<string, (argv: readonly string[]) => Promise<number>> = {
    fleet,
    'fleet-simulation': fleetSimulation,
    foreground,
    governor,
    peers: comparePeers,
    slot,
    versions,
  };
  process.exitCode = await (others[first]?.(rest) ?? bench(parseOptions(process.argv.slice(2))));
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  process.exitCode = error.exitCode;
}

async function bench(options: Options): Promise<number> {
  const server = await startServer();
  // What is being measured fails with its process and its server; that is no news then.
  const leave = async () => {
    process.once('uncaughtException', () => {});
    endChildren();
    await server.remove();
    process.exit(130);
  };
  process.once('SIGINT', leave);
  process.once('SIGTERM', leave);
  try {
    const results = await collect(server, options);
    process.stdout.write(`${options.json ? JSON.stringify(toJson(results)) : toText(results)}\n`);
    if (options.markdown !== undefined) await writeBlock(options.markdown, toMarkdown(results));
    const isRight = [...results.runs, ...results.scale].every((line) => Object.keys(line.wrong).length === 0);
    return isRight ? 0 : 1;
  } finally {
    process.off('SIGINT', leave);
    process.off('SIGTERM', leave);
    endChildren();
    await server.remove();
  }
}

async function collect(server: Server, options: Options): Promise<Results> {
  const machine = await describeMachine(server.admin);
  const { rounds, only } = options;
  const templates = new Map<number, Template>();
  for (const users of sizesOf(options)) {
    say(`${whole(users)} users: loading`);
    templates.set(users, await createTemplate(server, users));
  }
  const runs: Measurement[] = [];
  const scale: Measurement[] = [];
  const main = templates.get(options.users);
  const migrated = main && only.includes('r') ? await migrateTemplate(server, main) : undefined;
  for (let round = 1; round <= rounds; round += 1) {
    if (main) {
      const templateOf = (key: MethodKey): Template => (key === 'r' && migrated ? migrated : main);
      const singles = round === 1 ? alone(only).map((key) => [key]) : [];
      for (const keys of [...groupsOf(only), ...singles]) {
        say(`Round ${round} of ${rounds}: ${keys.join(', ')}${keys.length > 1 ? ' in turn' : ''}`);
        runs.push(...said(await measure(server, templateOf, keys)));
      }
    }
    for (const users of round <= sizeRounds ? options.scale : []) {
      const template = templates.get(users);
      if (!template) continue;
      say(`Round ${round} of ${rounds}: b with ${whole(users)} users`);
      scale.push(...said(await measure(server, () => template, ['b'], true)));
    }
  }
  return {
    machine,
    users: options.users,
    rounds,
    lines: middleRuns(runs),
    runs,
    scale: options.scale.map((users) => mean(scale.filter((run) => run.users === users))),
  };
}

/** Numbers of users, the small ones first: whatever is wrong shows soon then. */
function sizesOf({ users, only, scale }: Options): number[] {
  return [...new Set([...(only.length > 0 ? [users] : []), ...scale])].sort((one, other) => one - other);
}

function said(measured: readonly Measurement[]): readonly Measurement[] {
  for (const { method, usersPerSecond, seconds, wrong } of measured) {
    say(
      `  ${method}  ${methodOf(method).title}: ${whole(usersPerSecond)} users/s (${duration(seconds * 1000)})`,
    );
    if (Object.keys(wrong).length > 0) say(`     WRONG: ${JSON.stringify(wrong)}`);
  }
  return measured;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
