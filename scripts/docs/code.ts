/** The map of the code: what each folder holds, and which folder needs which, as their imports say. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { root } from '../manifest.ts';
import { filesBelow, read } from './folder.ts';
import { block, table } from './markdown.ts';

/** What each folder holds: one that is not here, or no longer there, fails the build of the pages. */
const holds: Record<string, string> = {
  'scripts/command': 'what all commands share: arguments, questions, tables, exit codes, retries',
  'scripts/connection': 'connections to a database: TLS, and who the server is',
  'scripts/dashboard': 'the server of the page, and in `page` the page itself',
  'scripts/db': '`npm run db`: schema versions, there and back',
  'scripts/docs': 'what `npm run build:docs` writes into the pages',
  'scripts/doctor': 'compares what is installed with what should be; in `probe` a try on a project',
  'scripts/embedded': 'the embedded Supabase: PostgreSQL, Data API, Auth, edge functions, stand-ins',
  'scripts/fleet': '`imago fleet`: one plan over many databases; members, rollouts, workers',
  'scripts/imago': 'the bin: finds the command',
  'scripts/install': 'adds Imago to a project, and takes it away',
  'scripts/local': '`npm run local`: keeps the embedded Supabase running',
  'scripts/migrate': '`npm run migrate`: everything that can be done with a plan',
  'scripts/plan':
    '`npm run plan`: begins, checks, tests and builds plans; in `conformance` what every plan has to keep',
  'scripts/release': 'what keeps a commit from being released',
  'scripts/sql': 'reads SQL: statements, names, what a statement does',
  'scripts/validate': '`npm run validate`: checks, fixes, the report',
  functions: 'the edge functions, one folder each, and in `_shared` what they and the command share',
  'sql/api': 'the functions and views in schema `public`, one call each into the engine',
  'sql/engine': 'schema `imago`: tables, and functions by floor ([map](../sql/engine/README.md))',
  'sql/fleet': 'schema `imago_fleet` of a control database: members, rollouts, what is due',
  'sql/plans': 'the plans in the box, one folder each',
  'tests/fixtures': 'plans, schemas and projects that tests read',
  'tests/sql': 'tests with one server and SQL: the main paths',
  'tests/support': 'what tests share: servers, databases, models of the right answer',
  'tests/system': 'all other tests: commands, functions, other servers, kills',
  'tests/torture': '`npm run torture`: faults by the thousand',
  'tests/unit': 'tests that need no server',
  bench: '`npm run bench`: how fast it is, beside other ways and beside an app',
};

/** Folders that are split, and not described as a whole. */
const split = ['scripts', 'sql', 'tests'];

/** Needed nearly everywhere: arrows to them would say nothing. */
const everywhere = ['command', 'scripts'];

/** One row a folder. */
export function folderTable(): string {
  const there = [
    ...Object.keys(holds).filter((folder) => !folder.includes('/') && existsSync(join(root, folder))),
    ...split.flatMap((top) =>
      readdirSync(join(root, top), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `${top}/${name}`),
    ),
  ];
  const missing = there.filter((folder) => !(folder in holds));
  const gone = Object.keys(holds).filter((folder) => !there.includes(folder));
  if (missing.length + gone.length > 0) {
    throw new Error(
      `scripts/docs/code.ts says nothing of ${missing.join(', ') || 'nothing'}, and describes ${gone.join(', ') || 'nothing'} that is not there.`,
    );
  }
  const rows = Object.entries(holds).map(([folder, what]) => [`[${folder}](../${folder})`, what]);
  return table(['folder', 'what it holds'], rows);
}

/** The folder that a module counts to in the picture: one of scripts, or functions as a whole. */
function groupOf(file: string): string {
  const [top = '', second = '', third] = file.split('/');
  return top === 'scripts' && third !== undefined ? second : top;
}

/** An arrow from each folder to those that its modules import. */
export function folderPicture(): string {
  const modules = ['scripts', 'functions'].flatMap((top) => [
    ...filesBelow(top, '.ts'),
    ...filesBelow(top, '.tsx'),
  ]);
  const arrows = new Set<string>();
  for (const file of modules) {
    for (const [, to = ''] of read(file).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g)) {
      const [from, needed] = [groupOf(file), groupOf(posix.join(dirname(file), to))];
      if (from !== needed && !everywhere.includes(from) && !everywhere.includes(needed)) {
        arrows.add(`  ${from} --> ${needed}`);
      }
    }
  }
  return block('mermaid', ['flowchart LR', ...[...arrows].toSorted()].join('\n'));
}
