/** An option that a message, a hint or a remedy names is one that a command takes. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { entries } from '../../scripts/imago/commands.ts';
import { run as imago } from '../../scripts/imago/run.ts';
import { packageFolder } from '../../scripts/package.ts';

/** Options of other programs that people are told to type: of npm and of the Supabase CLI. */
const others = new Set(['no', 'save-dev', 'project-ref', 'status']);

/** What --help of a command says. */
async function helpOf(...argv: string[]): Promise<string> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    expect(await imago([...argv, '--help'])).toBe(0);
    return write.mock.calls.map(([text]) => String(text)).join('');
  } finally {
    write.mockRestore();
  }
}

const optionsIn = (text: string) =>
  [...text.matchAll(/(?<![\w-])--([a-z][a-z-]*[a-z])/g)].map(([, name = '']) => name);

/** In words; what a program is started with stands between quotes by itself. */
const namedIn = (text: string) =>
  [...text.matchAll(/(?<=[ (:]|^)--([a-z][a-z-]*[a-z])/gm)].map(([, name = '']) => name);

/** The lines of a source that are not about code. */
const withoutComments = (text: string) =>
  text.replace(/^\s*(\/\/|\/?\*|--).*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '');

function sources(folder: string): string[] {
  return readdirSync(path.join(packageFolder, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|sql)$/.test(file))
    .map((file) => path.join(folder, file));
}

test('options named in sql, functions and scripts are options of a command', async () => {
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const known = new Set<string>(['help', 'version']);
  for (const { name } of entries) {
    const help = await helpOf(name);
    for (const option of optionsIn(help)) known.add(option);
    const [, list = ''] = /^Commands:\n((?: {2}.*\n)+)/m.exec(help) ?? [];
    for (const [, sub = ''] of list.matchAll(/^ {2}([a-z]+)/gm)) {
      if (sub === 'help') continue;
      for (const option of optionsIn(await helpOf(name, sub))) known.add(option);
    }
  }
  const unknown = ['sql', 'functions', 'scripts']
    .flatMap(sources)
    .filter((file) => !/scripts\/(docs|build|gen|lint|release|embedded|validate\/report)/.test(file))
    .flatMap((file) =>
      namedIn(withoutComments(readFileSync(path.join(packageFolder, file), 'utf8')))
        .filter((option) => !known.has(option) && !others.has(option))
        .map((option) => `${file}: --${option}`),
    );
  expect([...new Set(unknown)]).toEqual([]);
});
