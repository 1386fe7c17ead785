/** One invocation of `local`: keeps the embedded Supabase running until Ctrl-C. */
import path from 'node:path';
import { commandLine, planFlags, programName, siblingName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import { fail } from '../command/refuse.ts';
import { runShell } from '../command/shell.ts';
import { writeText } from '../command/streams.ts';
import type { Terminal } from '../command/terminal.ts';
import { openDashboard } from '../dashboard/server.ts';
import { homeOf } from '../embedded/account.ts';
import { fittingPlans } from '../embedded/fitting.ts';
import { projectHere } from '../embedded/here.ts';
import { defaultFolder } from '../embedded/state.ts';
import { type EmbeddedOptions, type EmbeddedSupabase, ensureEmbedded } from '../embedded/supabase.ts';
import { takesFlags } from '../migrate/spelling.ts';
import { type Options, parseOptions } from './options.ts';

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = programName('local');
  return await runShell<Options, { error?: unknown }>(argv, {
    command: 'local',
    read: () => parseOptions(argv, program),
    act: async (options, { terminal }) => {
      await keep(options, program, terminal);
      return {};
    },
    failed: (_, error) => ({ error }),
    report: (_, { error }, terminal) => (error === undefined ? 0 : fail(error, terminal, false)),
  });
}

/** Until a signal comes; throws when it was ended from outside. */
async function keep(options: Options, program: string, terminal: Terminal): Promise<void> {
  // While it starts, a signal ends this process, and with its connection the server goes. Later, it is let go of in order.
  let whenAsked = (): void => process.exit(130);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => whenAsked());

  const onStep = (text: string): void => terminal.info(terminal.paint.dim(text));
  const project = await projectOf(options);
  const embedded = await ensureEmbedded({ ...options, project, keeper: true, onStep });
  const asked = new Promise<true>((resolve) => {
    whenAsked = () => resolve(true);
  });
  const [fitting, dashboard] = await Promise.all([
    fittingPlans(embedded.databaseUrl),
    openDashboard({ project: embedded }),
  ]).catch(async (error) => {
    await embedded.release();
    throw error;
  });
  introduce({ ...embedded, dashboard: dashboard.url }, fitting, program, terminal);
  if (!(await Promise.race([asked, embedded.ended]))) {
    const log = path.join(defaultFolder, 'server.log');
    throw new Error(`The embedded Supabase was ended from outside. Its log: ${log}`);
  }
  terminal.info(lineBreak + terminal.paint.dim('Stopping'));
  await dashboard.close();
  await embedded.release();
}

/** The project that is asked for, or the one that Imago is installed in, where it has migrations. */
async function projectOf({ workdir, sample, app }: Options): Promise<EmbeddedOptions['project']> {
  if (workdir !== undefined) return { folder: workdir, isAsked: true };
  return sample === undefined && app === undefined ? await projectHere() : undefined;
}

/** The facts on stdout, in the form of an .env file; all else is for people. */
function introduce(
  {
    url,
    publishableKey,
    secretKey,
    databaseUrl,
    shared,
    dashboard,
  }: EmbeddedSupabase & { dashboard: string },
  fitting: string[],
  program: string,
  terminal: Terminal,
): void {
  // A user whose app no plan fits has to name one of their own.
  const [plan = 'NAME'] = fitting;
  // What is taken where no plan is named.
  const argument = plan === 'avatars' ? '' : `'${plan}'`;
  const { bold, green } = terminal.paint;
  const [migrate, local] = takesFlags(program)
    ? ['npm run migrate', 'npm run local']
    : [siblingName(program, 'migrate'), program];

  terminal.info(
    green(shared ? 'The embedded Supabase was running already.' : 'The embedded Supabase is running.'),
  );
  writeText(
    `SUPABASE_URL=${url}`,
    `SUPABASE_PUBLISHABLE_KEY=${publishableKey}`,
    `SUPABASE_SECRET_KEY=${secretKey}`,
    `DATABASE_URL=${databaseUrl}`,
  );
  terminal.info(
    [
      '',
      `Watch it and run it in a browser:  ${bold(dashboard)}`,
      `Migrate it from another terminal:  ${bold(commandLine(migrate, planFlags({ plan })))}`,
      `Watch it by SQL:                   ${bold(`select public.get_detailed_migration_progress(${argument});`)}`,
      `Call its edge functions:           ${bold(`${url}/functions/v1/NAME`)}`,
      `Ctrl-C stops it; its data stays in ${homeOf(path.join(defaultFolder, 'postgres'))}.`,
      `Start over:                        ${bold(commandLine(local, ['--reset']))}`,
    ].join(lineBreak),
  );
}
