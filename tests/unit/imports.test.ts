/** How the modules of the command and of the edge functions lean on each other. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Static, dynamic and re-exporting imports of files; types count as well: who needs a type knows the module. */
const importPattern = /(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g;

const isModule = (file: string): boolean => /\.tsx?$/.test(file);

async function importsOf(folder: string): Promise<[file: string, imported: string[]][]> {
  const files = await readdir(path.join(root, folder), { recursive: true });
  const modules = files.filter(isModule).map((file) => path.join(folder, file));
  return await Promise.all(
    modules.map(async (file): Promise<[string, string[]]> => {
      const text = await readFile(path.join(root, file), 'utf8');
      const imported = [...text.matchAll(importPattern)].map(([, to = '']) => to);
      return [file, imported.map((to) => path.join(path.dirname(file), to))];
    }),
  );
}

/** The first circle that is met from each module, as the way along it. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const left = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    if (start >= 0) found.push([...way.slice(start), file].join(' -> '));
    if (start >= 0 || left.has(file)) return;
    for (const imported of graph.get(file) ?? []) visit(imported, [...way, file]);
    left.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

test('the search for circles names two modules that import each other, and not a diamond', () => {
  const diamond: [string, string[]][] = [
    ['a.ts', ['b.ts', 'c.ts']],
    ['b.ts', ['d.ts']],
    ['c.ts', ['d.ts']],
  ];
  expect(circles(new Map(diamond))).toEqual([]);
  expect(circles(new Map([...diamond, ['d.ts', ['b.ts']]]))).toEqual(['b.ts -> d.ts -> b.ts']);
});

/** The modules of scripts/ and functions/ in whose text this is. */
async function modulesWith(pattern: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ['scripts', 'functions']) {
    for (const file of await readdir(path.join(root, folder), { recursive: true })) {
      if (!isModule(file)) continue;
      const text = await readFile(path.join(root, folder, file), 'utf8');
      if (pattern.test(text)) found.push(path.join(folder, file));
    }
  }
  return found.sort();
}

test('only one module opens databases of others, and so decides on TLS; the rest open those that they have started', async () => {
  expect(await modulesWith(/^import postgres\b/m)).toEqual([
    'scripts/connection/open.ts',
    'scripts/db/shadow.ts',
    'scripts/embedded/cluster.ts',
    'scripts/embedded/data-api.ts',
    'scripts/embedded/fitting.ts',
  ]);
});

test('only one module asks other servers, and so decides on redirects; one hands requests on within this machine, one sends those of pg_net, one tells a webhook, two run in a browser', async () => {
  expect(await modulesWith(/(^|[^.\w])fetch\(/m)).toEqual([
    'functions/_shared/fetching.ts',
    'scripts/dashboard/page/connection.ts',
    'scripts/dashboard/page/signing.ts',
    'scripts/embedded/functions.ts',
    'scripts/embedded/requests.ts',
    'scripts/migrate/notices.ts',
  ]);
  expect(await modulesWith(/new WebSocket\(/)).toEqual(['scripts/dashboard/page/hearing.ts']);
  expect(await modulesWith(/global: \{ fetch: fetchJson \}/)).toEqual([
    'functions/_shared/access.ts',
    'scripts/client.ts',
  ]);
  expect(await modulesWith(/\bcreateClient\b|\bwithSupabase\(/)).toEqual([
    'functions/_shared/access.ts',
    'scripts/client.ts',
  ]);
});

test('the modules of scripts/ and functions/ import each other without a circle', async () => {
  const graph = new Map([...(await importsOf('scripts')), ...(await importsOf('functions'))]);
  expect(graph.get('scripts/migrate/findings.ts')).toContain('scripts/migrate/ending.ts');
  expect(circles(graph)).toEqual([]);
});

test('the modules of scripts/ and functions/ export nothing that no code names', async () => {
  const texts = new Map<string, string>();
  for (const folder of ['scripts', 'functions', 'tests', 'bench']) {
    for (const file of await readdir(path.join(root, folder), { recursive: true })) {
      if (isModule(file) && file !== 'database.types.ts')
        texts.set(path.join(folder, file), await readFile(path.join(root, folder, file), 'utf8'));
    }
  }
  const named = new Map<string, number>();
  for (const text of texts.values()) {
    for (const [name] of text.matchAll(/\w+/g)) named.set(name, (named.get(name) ?? 0) + 1);
  }
  const exported = /^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm;
  const dead = [...texts].flatMap(([file, text]) =>
    /^(scripts|functions)/.test(file)
      ? [...text.matchAll(exported)].map(([, name = '']) => name).filter((name) => named.get(name) === 1)
      : [],
  );
  expect(named.size).toBeGreaterThan(1000);
  expect(dead).toEqual([]);
});
