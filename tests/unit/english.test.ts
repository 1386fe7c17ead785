import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { filesBelow, read } from '../../scripts/docs/folder.ts';
import { root } from '../../scripts/manifest.ts';

/** Plain English: words that a reader whose second language it is should not have to look up. */
const unusual = /\b(mend(s|ed|ing)?|anew|whoever|whom(ever)?|nobody['’]s)\b/gi;

/** Not looked at: what has been said, by when and with which words it was, and what is built from other files. */
const left = [
  'CHANGELOG.md',
  'LICENSE',
  'package-lock.json',
  'supabase/migrations/',
  'tests/unit/english.test.ts',
];

/** Names, by the beginnings of the paths where they may stand. */
const names: Record<string, string[]> = {
  // The field of conformance.toml, and what takes a poison away in tests.
  mend: [
    'docs/write-a-plan.md',
    'scripts/plan/behaviour.ts',
    'scripts/plan/conformance/',
    'tests/support/defects.ts',
    'tests/support/failures.ts',
    'tests/system/command.test.ts',
    'tests/system/error-budget.test.ts',
    'tests/system/failures.test.ts',
    'tests/system/statement-timeout.test.ts',
    'tests/system/validate.test.ts',
  ],
  // The table that a plan of the kind fk-add makes.
  mended: ['docs/plan-kinds.md', 'scripts/plan/kinds/fk-add.ts', 'tests/system/plan-kinds-more.test.ts'],
};

const isBelow = (file: string, places: readonly string[]) => places.some((place) => file.startsWith(place));

function unusualWords(file: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    return [...line.matchAll(unusual)]
      .filter(([word]) => !isBelow(file, names[word] ?? []))
      .map(([word]) => `${file}:${index + 1}: ${word}`);
  });
}

test('words are those of the field: fix, again, anyone who', () => {
  const folders = ['bench', 'docs', 'examples', 'functions', 'scripts', 'sql', 'supabase', 'tests'];
  const files = [
    ...readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !/^\.(env|git)$/.test(entry.name))
      .map(({ name }) => name),
    ...folders
      .flatMap((folder) => filesBelow(folder, ''))
      .filter(
        (file) =>
          /\.(css|html|json|md|sql|toml|tsx?)$/.test(file) && !/\/(node_modules|\.imago)\//.test(file),
      ),
  ].filter((file) => !isBelow(file, left));
  expect(files.length).toBeGreaterThan(1000);
  expect(files.flatMap((file) => unusualWords(file, read(file)))).toEqual([]);
});

test('an unusual word is found in any case and form, and a name only where it is one', () => {
  const line = 'Whoever mends `mend`: nobody’s work, by whom it may be.';
  expect(unusualWords('docs/x.md', line).map((found) => found.split(' ')[1])).toEqual([
    'Whoever',
    'mends',
    'mend',
    'nobody’s',
    'whom',
  ]);
  expect(unusualWords('docs/write-a-plan.md', '`poison` and `mend`')).toEqual([]);
});
