#!/usr/bin/env node
/** The bin `imago`: `imago migrate …`, `imago local …`. */
const commands: Record<string, () => Promise<unknown>> = {
  migrate: () => import('./migrate.ts'),
  local: () => import('./local.ts'),
};

const usage = `Usage: imago <command> [options]

Commands:
  migrate   run a migration plan in batches, forward or back
  local     keep an embedded Supabase running

imago <command> --help lists the options of a command.`;

const [name] = process.argv.splice(2, 1);
const command = commands[name ?? ''];
if (command) {
  await command();
} else if (name === '--help' || name === '-h' || name === 'help') {
  console.log(usage);
} else {
  console.error(
    `${name === undefined ? 'A command is missing.' : `There is no command ${name}.`}\n\n${usage}`,
  );
  process.exitCode = 2;
}
