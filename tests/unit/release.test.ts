/** What the workflow of a release asks before it publishes anything. */
import { expect, test } from 'vitest';
import { type Release, releaseNotes, releaseProblems } from '../../scripts/release/problems.ts';

const ready: Release = {
  tag: 'v1.2.0',
  repository: 'somebody/imago',
  package: {
    name: '@somebody/imago',
    version: '1.2.0',
    license: 'MIT',
    author: 'Somebody',
    repository: { url: 'git+https://github.com/somebody/imago.git' },
    bugs: { url: 'https://github.com/somebody/imago/issues' },
  },
  changelog: '# Changelog\n\n## 1.2.0\n\nPush.\n\n## 1.1.0\n\nNothing.\n',
  migrations: { one: 'aa', two: 'bb' },
  released: { one: 'aa', two: 'bb' },
};

test('a release that is ready meets nothing', () => {
  expect(releaseProblems(ready)).toEqual([]);
  expect(releaseNotes(ready.changelog, '1.2.0')).toBe('Push.');
});

test.each<[string, Partial<Release>, RegExp]>([
  ['another tag', { tag: 'v1.3.0' }, /tag is v1\.3\.0/],
  ['a changelog that ends before it', { changelog: '# Changelog\n\n## 1.1.0\n\nPush.\n' }, /CHANGELOG/],
  ['an entry that says nothing', { changelog: '## 1.2.0\n\n## 1.1.0\n\nPush.\n' }, /CHANGELOG/],
  ['a migration that is not frozen', { released: { one: 'aa' } }, /two is not frozen/],
  [
    'one that has changed since',
    { migrations: { one: 'aa', two: 'cc' } },
    /two was released, and has changed/,
  ],
  ['one that is gone', { migrations: { one: 'aa' } }, /two was released, and is gone/],
  ['a package that is private', { package: { ...ready.package, private: true } }, /private/],
  ['a name without a scope', { package: { ...ready.package, name: 'imago' } }, /no scope/],
  ['no author', { package: { ...ready.package, author: undefined } }, /author/],
  ['another repository', { repository: 'other/imago' }, /repository, or another/],
])('refuses %s', (_, change, line) => {
  expect(releaseProblems({ ...ready, ...change }).join('\n')).toMatch(line);
});
