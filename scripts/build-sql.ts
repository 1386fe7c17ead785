/**
 * Builds supabase/migrations/*.sql from sql/, in the order of sql/manifest.json; those that were released stay as they
 * are. `--check` changes nothing and fails on drift. `--release` notes that all of them are released now.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import {
  buildMigration,
  forgottenSources,
  migrationChecksum,
  migrationFile,
  readManifest,
  readReleased,
  root,
  writeReleased,
} from './manifest.ts';

const check = process.argv.includes('--check');
const manifest = readManifest();
const released = readReleased();
const drifted: string[] = [];
const edited: string[] = [];
for (const [name, entries] of Object.entries(manifest)) {
  const path = migrationFile(name);
  if (name in released) {
    if (migrationChecksum(name) !== released[name]) edited.push(relative(root, path));
    continue;
  }
  const text = buildMigration(entries);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  drifted.push(relative(root, path));
  if (!check) writeFileSync(path, text);
}
if (drifted.length > 0) console.error(`${check ? 'Differs from sql/' : 'Built'}: ${drifted.join(', ')}`);
if (check && drifted.length > 0) {
  console.error('Run `npm run build:sql` and commit the result.');
  process.exitCode = 1;
}
const forgotten = forgottenSources(manifest, released);
if (forgotten.length > 0) {
  console.error(`Changed since the release, and in no migration after it: ${forgotten.join(', ')}`);
  console.error('Name them in a new entry of sql/manifest.json (docs/install.md, Releasing).');
  process.exitCode = 1;
}
if (edited.length > 0) {
  console.error(`Released, and changed since: ${edited.join(', ')}`);
  console.error('Restore it, and write what is new as a migration of its own (docs/install.md).');
  process.exitCode = 1;
} else if (process.argv.includes('--release') && forgotten.length === 0) {
  const fresh = Object.keys(manifest).filter((name) => !(name in released));
  writeReleased(Object.fromEntries(Object.keys(manifest).map((name) => [name, migrationChecksum(name)])));
  console.error(
    fresh.length > 0
      ? `Released, and never built again: ${fresh.join(', ')}. Commit sql/released.json.`
      : 'Everything was released before.',
  );
}
