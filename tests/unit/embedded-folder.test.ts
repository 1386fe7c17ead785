/** Whose folder an embedded server takes, and whose it leaves as it is. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import { takeFolder } from '../../scripts/embedded/folder.ts';

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-folder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  await chmod(folder, 0o755);
  return folder;
}

const modeOf = async (folder: string) => ((await stat(folder)).mode & 0o777).toString(8);

test.each([
  ['a repository', { '.gitignore': 'dist\n', 'package.json': '{}', '.git/HEAD': '' }],
  ['a folder of settings', { 'settings.json': '{}', 'extensions.json': '{}' }],
  ['a home', { '.profile': '', 'db/rows.csv': '' }],
])('%s of somebody keeps its mode and its .gitignore, and is refused', async (_, files) => {
  const folder = await folderWith(files);
  const before = await readdir(folder);
  await expect(takeFolder(folder)).rejects.toThrow(UsageError);
  await expect(takeFolder(folder)).rejects.toThrow('holds other things');
  expect(await modeOf(folder)).toBe('755');
  expect(await readdir(folder)).toEqual(before);
  if ('.gitignore' in files) {
    expect(await readFile(path.join(folder, '.gitignore'), 'utf8')).toBe(files['.gitignore']);
  }
});

test.each([
  ['that is empty', {}],
  ['that the command before has begun', { '.gitignore': '*\n', lock: '' }],
  ['that is its own, with a note in it', { 'settings.json': '{}', lock: '', 'note.txt': '' }],
  ['that npm run db has made', { 'db/lock': '', '.DS_Store': '' }],
])('a folder %s is taken, closed to others and kept out of git', async (_, files) => {
  const folder = await folderWith(files);
  await takeFolder(folder);
  expect(await modeOf(folder)).toBe(process.getuid?.() === 0 ? '711' : '700');
  expect(await readFile(path.join(folder, '.gitignore'), 'utf8')).toBe('*\n');
});

test('a folder that is not there is made, with those above it', async () => {
  const folder = path.join(await folderWith({}), 'a', 'b');
  await takeFolder(folder);
  expect(existsSync(path.join(folder, '.gitignore'))).toBe(true);
});
