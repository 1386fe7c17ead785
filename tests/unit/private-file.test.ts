/** Files that hold data: who may read them, and what is left when writing fails. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { expectPlace, writePrivately } from '../../scripts/command/private-file.ts';
import { UsageError } from '../../scripts/command/usage.ts';

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-private-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const place = (file: string, replaces = true) => ({ option: '--report', file, replaces });
const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

test('a new file is for its owner alone, from the first byte on, and has its name when it is complete', async () => {
  const folder = await emptyFolder();
  const file = path.join(folder, 'page.html');
  await writePrivately(place(file), async (part) => {
    expect(await modeOf(part)).toBe(0o600);
    expect(path.dirname(part)).toBe(folder);
    await writeFile(part, 'whole');
    expect(await readdir(folder)).toEqual([path.basename(part)]);
  });
  expect(await readdir(folder)).toEqual(['page.html']);
  expect(await readFile(file, 'utf8')).toBe('whole');
  expect(await modeOf(file)).toBe(0o600);
});

test("a file that is replaced becomes its owner's alone; others that have it open keep the old one", async () => {
  const file = path.join(await emptyFolder(), 'page.html');
  await writeFile(file, 'older', { mode: 0o666 });
  await writePrivately(place(file), (part) => writeFile(part, 'newer'));
  expect(await readFile(file, 'utf8')).toBe('newer');
  expect(await modeOf(file)).toBe(0o600);
});

test.each(['a symbolic link', 'a folder', 'nowhere'])('%s is refused by its name', async (what) => {
  const folder = await emptyFolder();
  const file = path.join(folder, what === 'nowhere' ? 'none/page.html' : 'page.html');
  const other = path.join(folder, 'other');
  await writeFile(other, 'precious');
  if (what === 'a symbolic link') await symlink(other, file);
  if (what === 'a folder') await mkdir(file);
  expect(() => expectPlace(place(file))).toThrow(UsageError);
  expect(() => expectPlace(place(file))).toThrow(what === 'nowhere' ? path.dirname(file) : file);
  await expect(writePrivately(place(file), (part) => writeFile(part, 'newer'))).rejects.toThrow(UsageError);
  expect(await readFile(other, 'utf8')).toBe('precious');
});

test('a link that is put there while the file is written is not followed', async () => {
  const folder = await emptyFolder();
  const [file, other] = [path.join(folder, 'page.html'), path.join(folder, 'other')];
  await writeFile(other, 'precious');
  const write = async (part: string) => {
    await writeFile(part, 'newer');
    await symlink(other, file);
  };
  await expect(writePrivately(place(file), write)).rejects.toThrow('symbolic link');
  expect(await readFile(other, 'utf8')).toBe('precious');
});

test('a file that somebody puts in the place of the unfinished one does not get its name', async () => {
  const folder = await emptyFolder();
  const file = path.join(folder, 'page.html');
  const write = async (part: string) => {
    await writeFile(path.join(folder, 'theirs'), 'theirs');
    await rename(path.join(folder, 'theirs'), part);
  };
  await expect(writePrivately(place(file), write)).rejects.toThrow('exchanged');
  expect(await readdir(folder)).toEqual([]);
});

test('an older file that must be kept is, also when it comes while the new one is written', async () => {
  const folder = await emptyFolder();
  const file = path.join(folder, 'a.dump');
  const write = async (part: string) => {
    await writeFile(part, 'newer');
    await writeFile(file, 'the only copy');
  };
  await expect(writePrivately(place(file, false), write)).rejects.toThrow('exists already');
  expect(await readFile(file, 'utf8')).toBe('the only copy');
  expect(await readdir(folder)).toEqual(['a.dump']);
});

test('nothing is left of what fails', async () => {
  const folder = await emptyFolder();
  const file = path.join(folder, 'page.html');
  await writeFile(file, 'older');
  const write = async (part: string) => {
    await writeFile(part, 'half');
    throw new Error('no space');
  };
  await expect(writePrivately(place(file), write)).rejects.toThrow('no space');
  expect(await readdir(folder)).toEqual(['page.html']);
  expect(await readFile(file, 'utf8')).toBe('older');
});

test('nothing is left when the process leaves at once, as the second Ctrl-C has it do', async () => {
  const folder = await emptyFolder();
  const file = path.join(folder, 'page.html');
  const module = new URL('../../scripts/command/private-file.ts', import.meta.url).href;
  const text = `
    const { writePrivately } = await import('${module}');
    await writePrivately({ option: '--report', file: ${JSON.stringify(file)}, replaces: true }, () => process.exit(130));`;
  const { status } = spawnSync(process.execPath, ['--input-type=module', '--eval', text]);
  expect(status).toBe(130);
  expect(await readdir(folder)).toEqual([]);
});
