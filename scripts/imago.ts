#!/usr/bin/env node
/** The bin `imago`: `imago migrate`, `imago rollback`, `imago validate`, … `imago --help` lists the commands. */

/** node:sqlite, URL.parse and others that are used. */
const oldestNode = [22, 13] as const;

// Nothing may be loaded before: an older Node stops at the syntax.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
  console.error(`Imago needs Node ${oldestNode.join('.')} or newer, and this is ${process.version}.`);
  process.exitCode = 2;
} else {
  const [{ start }, { run }] = await Promise.all([import('./command/shell.ts'), import('./imago/run.ts')]);
  await start(run);
}
