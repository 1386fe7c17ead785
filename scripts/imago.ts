#!/usr/bin/env node
/** The bin `imago`: `imago migrate …`, `imago validate …`, `imago db …`, `imago plan …`, `imago local …`. */
const commands: Record<string, () => Promise<unknown>> = {
  install: () => import('./install.ts'),
  doctor: () => import('./doctor.ts'),
  migrate: () => import('./migrate.ts'),
  validate: () => import('./validate.ts'),
  db: () => import('./db.ts'),
  plan: () => import('./plan.ts'),
  local: () => import('./local.ts'),
};

const usage = `Usage: imago <command> [options]

Commands:
  install   add Imago to a Supabase project, or take it away
  doctor    compare what is installed with what should be
  migrate   run a migration plan in batches, forward or back
  validate  check a migration before, during and after it; mend what is wrong
  db        versions of the schema: write, apply, take back, compare
  plan      begin a migration plan, and tell what is wrong with one
  local     keep an embedded Supabase running

imago <command> --help lists the options of a command.`;

/** node:sqlite, URL.parse and others that are used. */
const oldestNode = [22, 13] as const;

const [name] = process.argv.splice(2, 1);
const command = commands[name ?? ''];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
  console.error(`Imago needs Node ${oldestNode.join('.')} or newer, and this is ${process.version}.`);
  process.exitCode = 2;
} else if (command) {
  await command();
} else if (name === '--help' || name === '-h' || name === 'help') {
  console.log(usage);
} else {
  console.error(
    `${name === undefined ? 'A command is missing.' : `There is no command ${name}.`}\n\n${usage}`,
  );
  process.exitCode = 2;
}
