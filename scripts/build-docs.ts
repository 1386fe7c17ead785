/**
 * Writes what the pages take from SQL or from the edge functions (errors, settings, the contract for plans, the map of
 * the engine, …) between their markers.
 * `--check` changes nothing and fails on drift.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folderPicture, folderTable } from './docs/code.ts';
import { commands, others } from './docs/commands.ts';
import { contract, registration, types } from './docs/contract.ts';
import { read } from './docs/folder.ts';
import { grafana } from './docs/grafana.ts';
import { errors, refusals, settings, signals, statuses, transitions } from './docs/lists.ts';
import { engineMap } from './docs/map.ts';
import { extensionsThatAreMissing, partsThatAreMissing } from './docs/missing.ts';
import { batchPicture, statePicture, tablePicture } from './docs/pictures.ts';
import { root } from './manifest.ts';

const blocks: [file: string, marker: string, body: () => string][] = [
  ['docs/errors.md', 'refusals', refusals],
  ['docs/errors.md', 'statuses', statuses],
  ['docs/errors.md', 'errors', errors],
  ['docs/architecture.md', 'states', statePicture],
  ['docs/architecture.md', 'transitions', transitions],
  ['docs/code-map.md', 'folders', folderTable],
  ['docs/code-map.md', 'imports', folderPicture],
  ['docs/sql.md', 'settings', settings],
  ['docs/governor.md', 'signals', signals],
  ['docs/commands.md', 'commands', commands],
  ['docs/commands.md', 'others', others],
  ['docs/embedded.md', 'missing extensions', extensionsThatAreMissing],
  ['docs/embedded.md', 'missing parts', partsThatAreMissing],
  ['docs/write-a-plan.md', 'contract', contract],
  ['docs/write-a-plan.md', 'types', types],
  ['docs/write-a-plan.md', 'registration', registration],
  ['sql/engine/README.md', 'batch', batchPicture],
  ['sql/engine/README.md', 'states', statePicture],
  ['sql/engine/README.md', 'tables', tablePicture],
  ['sql/engine/README.md', 'map', engineMap],
];

/** Files that are built whole. */
const files: [file: string, body: () => string][] = [['docs/grafana.json', grafana]];

const check = process.argv.includes('--check');
for (const [file, marker, body] of blocks) {
  const text = read(file);
  const [begin, end] = [`<!-- begin ${marker}: built by npm run build:docs -->`, `<!-- end ${marker} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} lacks the lines ${begin} and ${end}.`);
  const wanted = `${text.slice(0, from + begin.length)}\n\n${body()}\n\n${text.slice(to)}`;
  settle(file, marker, text, wanted);
}
for (const [file, body] of files) settle(file, 'whole', read(file), body());
if (process.exitCode) console.error('Run `npm run build:docs` and commit the result.');

function settle(file: string, marker: string, text: string, wanted: string): void {
  if (wanted === text) return;
  console.error(`${check ? 'Differs from its source' : 'Built'}: ${file} (${marker})`);
  if (!check) writeFileSync(join(root, file), wanted);
  else process.exitCode = 1;
}
