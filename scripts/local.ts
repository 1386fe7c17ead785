/** `npm run local`: keeps the embedded Supabase running until Ctrl-C. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { homeOf } from './embedded/account.ts';
import { fittingPlans } from './embedded/fitting.ts';
import { defaultFolder } from './embedded/state.ts';
import { type EmbeddedSupabase, ensureEmbedded } from './embedded/supabase.ts';

const program = new Command('local')
  .description(
    'Keeps an embedded Supabase running: PostgreSQL, Data API, Auth and edge functions, for development, without Docker.',
  )
  .option('--sample <n>', 'users of the sample app (default: what is there, 20,000 in a new database)', users)
  .option(
    '--app <file.sql>',
    'make this app instead of the sample app; it reads the setting sample.users',
    sqlFile,
  )
  .option('--reset', 'start over with a new database', false)
  .addHelpText(
    'after',
    `
It listens on the loopback interface only. Its data is in .imago/ (or in the folder that IMAGO_FOLDER names) and stays
there until --reset. The other commands find it by themselves while it runs: npm run migrate in another terminal works
on it.

Its edge functions take the secret key, or the token of a signed-in user with a role. Sign up with supabase-js, then give
the role by SQL, as on hosted Supabase, and sign in:
  update auth.users set raw_app_meta_data = raw_app_meta_data || '{"imago_role": "operator"}' where email = '…';`,
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

const { sample, app, reset } = program.parse().opts<{ sample?: number; app?: string; reset: boolean }>();

// While it starts, a signal ends this process, and with its connection the server goes. Later, it is let go of in order.
let whenAsked = (): void => process.exit(130);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => whenAsked());

try {
  const embedded = await ensureEmbedded({
    sample,
    app,
    reset,
    keeper: true,
    onStep: (text) => console.error(pc.dim(text)),
  });
  const asked = new Promise<true>((resolve) => {
    whenAsked = () => resolve(true);
  });
  introduce(embedded, await fittingPlans(embedded.databaseUrl));
  if (await Promise.race([asked, embedded.ended])) {
    console.error(pc.dim('\nStopping'));
    await embedded.release();
  } else {
    console.error(
      pc.red(
        `The embedded Supabase was ended from outside. Its log: ${path.join(defaultFolder, 'server.log')}`,
      ),
    );
    process.exitCode = 1;
  }
} catch (error) {
  console.error(pc.red(error instanceof Error ? error.message : String(error)));
  process.exitCode = 1;
}

/** The facts on stdout, in the form of an .env file; all else is for people. */
function introduce(
  { url, publishableKey, secretKey, databaseUrl, shared }: EmbeddedSupabase,
  fitting: string[],
): void {
  // Whoever has an app that no plan fits has to name their own.
  const [plan = 'NAME'] = fitting;
  // What is taken where no plan is named.
  const [flags, argument] = plan === 'avatars' ? ['', ''] : [` -- --plan ${plan}`, `'${plan}'`];

  console.error(
    pc.green(shared ? 'The embedded Supabase was running already.' : 'The embedded Supabase is running.'),
  );
  console.log(
    [
      `SUPABASE_URL=${url}`,
      `SUPABASE_PUBLISHABLE_KEY=${publishableKey}`,
      `SUPABASE_SECRET_KEY=${secretKey}`,
      `DATABASE_URL=${databaseUrl}`,
    ].join('\n'),
  );
  console.error(
    [
      '',
      `Migrate it from another terminal:  ${pc.bold(`npm run migrate${flags}`)}`,
      `Watch it by SQL:                   ${pc.bold(`select public.get_detailed_migration_progress(${argument});`)}`,
      `Call its edge functions:           ${pc.bold(`${url}/functions/v1/NAME`)}`,
      `Ctrl-C stops it; its data stays in ${homeOf(path.join(defaultFolder, 'postgres'))}.`,
      `Start over:                        ${pc.bold('npm run local -- --reset')}`,
    ].join('\n'),
  );
}

function sqlFile(value: string): string {
  if (statSync(value, { throwIfNoEntry: false })?.isFile()) return value;
  throw new InvalidArgumentError('It must be a file of SQL.');
}

function users(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 10_000_000) {
    throw new InvalidArgumentError('It takes a whole number from 0 to 10,000,000.');
  }
  return number;
}
