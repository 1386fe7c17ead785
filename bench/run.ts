/** `npm run bench`: Imago against other ways to do the same migration. `npm run bench -- --help` lists the options. */
import { duration, whole } from '../scripts/command/figures.ts';
import { writeBlock } from './document.ts';
import { describeMachine } from './machine.ts';
import { endChildren, type Measurement, measure } from './measure.ts';
import { type MethodKey, methodOf, methods } from './methods.ts';
import { type Options, parseOptions, Stop } from './options.ts';
import { mean, middleRuns, type Results, toJson, toMarkdown, toText } from './report.ts';
import { createTemplate, type Server, startServer, type Template } from './server.ts';

try {
  process.exitCode = await bench(parseOptions(process.argv.slice(2)));
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
    const isRight = [...results.lines, ...results.scale].every(
      (line) => Object.keys(line.wrong).length === 0,
    );
    return isRight ? 0 : 1;
  } finally {
    process.off('SIGINT', leave);
    process.off('SIGTERM', leave);
    await server.remove();
  }
}

async function collect(server: Server, options: Options): Promise<Results> {
  const machine = await describeMachine(server.admin);
  const runs: Measurement[] = [];
  const sizes = new Set([...(options.only.length > 0 ? [options.users] : []), ...options.scale]);
  const templates: Template[] = [];
  for (const users of [...sizes].sort((one, other) => one - other)) {
    say(`${whole(users)} users: loading`);
    templates.push(await createTemplate(server, users));
  }
  // Lines and sizes in turn: what else the machine does changes from minute to minute.
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const template of templates) {
      const { users } = template;
      say(`${whole(users)} users, round ${round}`);
      const keys: readonly MethodKey[] =
        users !== options.users
          ? ['b']
          : options.scale.includes(users) && !options.only.includes('b')
            ? [...options.only, 'b']
            : options.only;
      const due = methods.filter(({ key, repeated }) => keys.includes(key) && (repeated || round === 1));
      for (const { key } of due) runs.push(...(await measureSaid(server, template, key, keys)));
    }
  }
  const ofLines = runs.filter((run) => run.users === options.users && options.only.includes(run.method));
  return {
    machine,
    users: options.users,
    rounds: options.rounds,
    lines: middleRuns(ofLines),
    runs: ofLines,
    scale: options.scale.map((users) =>
      mean(runs.filter((run) => run.method === 'b' && run.users === users)),
    ),
  };
}

/** The rollback is measured where there is something to take back: right after (b), on its database. */
async function measureSaid(
  server: Server,
  template: Template,
  key: MethodKey,
  keys: readonly MethodKey[],
): Promise<Measurement[]> {
  if (key === 'r' && keys.includes('b')) return [];
  const forward = key === 'r' ? 'b' : key;
  const measured = await measure(server, template, forward, forward === 'b' && keys.includes('r'));
  for (const run of measured) {
    say(
      `  ${run.method}  ${methodOf(run.method).title}: ${whole(run.usersPerSecond)} users/s (${duration(run.seconds * 1000)})`,
    );
    if (Object.keys(run.wrong).length > 0) say(`     WRONG: ${JSON.stringify(run.wrong)}`);
  }
  return measured;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
