/** Pictures of the engine for GitHub, which draws Mermaid. Their arrows are read from the sources. */
import { apiFunctions, engineFunctions, namesIn, type SqlFunction } from './functions.ts';
import { block } from './markdown.ts';
import { insertedRows, readTables } from './tables.ts';

/** What one call does that moves or takes back a batch; the rest is left out of the picture. */
const shown = {
  'Both ways': [
    'prepare_step',
    'start_run',
    'cut_lanes',
    'work_run',
    'claim_lane',
    'work_lane',
    'read_lane',
    'move_keys',
    'attempt_batch',
    'lock_entities',
    'handle_failed_batch',
    'set_aside',
    'save_lane',
    'finish_run',
    'find_remaining',
    'remaining_entities',
    'end_stage',
    'end_run',
  ],
  Down: ['migrate_batch', 'migrate', 'forward_run', 'move_forward', 'still_to_move', 'compact_batch'],
  Up: [
    'rollback_batch',
    'roll_back',
    'start_rollback',
    'move_back',
    'lock_inserted',
    'find_conflicts',
    'record_conflicts',
    'restore_rows',
    'remove_rows',
    'unprepare_plan',
  ],
} as const;

/** The functions that a batch goes through, forward and back: which calls which. */
export function batchPicture(): string {
  const sources = new Map<string, SqlFunction>(
    [...apiFunctions(), ...engineFunctions()].map((routine) => [routine.name, routine]),
  );
  const names: string[] = Object.values(shown).flat();
  const missing = names.filter((name) => !sources.has(name));
  if (missing.length > 0)
    throw new Error(`scripts/docs/pictures.ts shows ${missing.join(', ')}: no such function.`);
  const calls = names.flatMap((from) =>
    namesIn(sources.get(from)?.text ?? '', 'imago')
      .filter((to) => to !== from && names.includes(to))
      .map((to) => [from, to] as const),
  );
  const lonely = names.filter((name) => !calls.flat().includes(name));
  if (lonely.length > 0)
    throw new Error(`scripts/docs/pictures.ts shows ${lonely.join(', ')}: nobody calls it there.`);
  const node = (name: string) =>
    sources.get(name)?.place === 'api' ? `${name}(["public.${name}"])` : `${name}["${name}"]`;
  const groups = Object.entries(shown).flatMap(([title, members], index) => [
    `  subgraph group_${index}["${title}"]`,
    ...members.map((name) => `    ${node(name)}`),
    '  end',
  ]);
  const arrows = calls.map(([from, to]) => `  ${from} --> ${to}`);
  const plan = ['  move_forward --> apply(["apply(keys) of the plan"])'];
  return block('mermaid', ['flowchart TD', ...groups, ...arrows, ...plan].join('\n'));
}

/** The states of a run, each arrow with its event. */
export function statePicture(): string {
  const edges = insertedRows('transition').map(([event = '', from = '', to = '']) => ({ event, from, to }));
  const events = Map.groupBy(edges, ({ from, to }) => `${from} --> ${to}`);
  const ends = new Set(
    edges.map(({ to }) => to).filter((state) => !edges.some(({ from }) => from === state)),
  );
  return block(
    'mermaid',
    [
      'stateDiagram-v2',
      '  [*] --> pending',
      ...[...events].map(([arrow, list]) => `  ${arrow}: ${list.map(({ event }) => event).join(', ')}`),
      ...[...ends].map((state) => `  ${state} --> [*]`),
    ].join('\n'),
  );
}

/** The tables of schema imago, each arrow a foreign key. Tables without one stand alone. */
export function tablePicture(): string {
  const tables = readTables();
  const lines = tables.flatMap(({ name, columns }) =>
    columns
      .filter(({ references }) => references !== undefined)
      .map((column) => `  ${column.references} ${column.notNull ? '||' : '|o'}--o{ ${name} : ${column.name}`),
  );
  const alone = tables.filter(({ name }) => !lines.some((line) => line.split(' ').includes(name)));
  return block('mermaid', ['erDiagram', ...lines, ...alone.map(({ name }) => `  ${name}`)].join('\n'));
}
