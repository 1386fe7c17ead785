/** One invocation of `dashboard`: serves the page until Ctrl-C. */
import { z } from 'zod';
import { call, connect } from '../client.ts';
import { type Environment, readEnvironment, readVariables, text } from '../command/environment.ts';
import { programName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import { reach, sayTarget } from '../command/reach.ts';
import { fail } from '../command/refuse.ts';
import { runShell } from '../command/shell.ts';
import { writeText } from '../command/streams.ts';
import { chooseTarget, type EmbeddedTarget, type ProjectTarget } from '../command/target.ts';
import type { Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { controlUrl } from '../fleet/environment.ts';
import { openBrowser } from './browser.ts';
import { openFleet } from './fleet.ts';
import { type Options, parseOptions } from './options.ts';
import { openDashboard } from './server.ts';

interface Read {
  options: Options;
  environment: Environment;
  /** None: the fleet is all that is named. */
  target: ProjectTarget | EmbeddedTarget | undefined;
  /** The control database of the fleet, where there is one. */
  fleetUrl: string | undefined;
}

const fleetVariable = z.object({ FLEET_DATABASE_URL: text });

async function reachProject(
  target: ProjectTarget | EmbeddedTarget,
  terminal: Terminal,
  atEnd: (letGo: () => Promise<unknown>) => void,
): Promise<{ url: string; secretKey: string }> {
  sayTarget(terminal, target);
  const { url, secretKey, release } = await reach(target, terminal);
  atEnd(() => release());
  // What would meet every click is said here.
  await call(connect(url, secretKey), 'get_migration_plans', undefined as never);
  return { url, secretKey };
}

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  return await runShell<Read, { error?: unknown }>(argv, {
    command: 'dashboard',
    read: () => {
      const options = parseOptions(argv, programName('dashboard'));
      const environment = readEnvironment();
      const fleet = readVariables(fleetVariable, process.env, '.env');
      const fleetUrl =
        fleet.FLEET_DATABASE_URL === undefined ? undefined : controlUrl({ ...environment, ...fleet });
      const target = chooseTarget(environment, {});
      const isFleetAlone = fleetUrl !== undefined && target.kind === 'embedded';
      return { options, environment, target: isFleetAlone ? undefined : target, fleetUrl };
    },
    level: ({ environment }) => environment.MIGRATION_LOG_LEVEL,
    stopping: () => ({
      first: 'Stopping: the running batch is let end. Ctrl-C again leaves at once.',
      second: 'Left at once. What was committed stays; nothing is lost.',
    }),
    act: async ({ target, options, fleetUrl }, { terminal, signal, atEnd }) => {
      const project = target && (await reachProject(target, terminal, atEnd));
      const fleet = fleetUrl === undefined ? undefined : openFleet(fleetUrl, (line) => terminal.warn(line));
      atEnd(async () => await fleet?.close());
      const dashboard = await openDashboard({ project, port: options.port, fleet });
      atEnd(dashboard.close);
      if (options.port !== undefined && new URL(dashboard.url).port !== String(options.port)) {
        throw new UsageError(`Port ${options.port} is taken.`, 'Name another one, or leave --port out.');
      }
      terminal.info(terminal.paint.green('The dashboard is at'));
      writeText(dashboard.url);
      terminal.info(
        `Anyone who has this address may do what the key may.${lineBreak}Keep this open while the page works; Ctrl-C stops it.`,
      );
      if (options.open) openBrowser(dashboard.url);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      return {};
    },
    failed: (_, error) => ({ error }),
    report: (_, { error }, terminal) => (error === undefined ? 0 : fail(error, terminal, false)),
  });
}
