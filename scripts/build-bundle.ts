/** What the dashboard and the report are built with: Vite makes one script of the modules that they are made of, and their styles. */
import path from 'node:path';
import { build, type Rolldown } from 'vite';

/** The sources of both. */
export const pageFolder = path.join(import.meta.dirname, 'dashboard', 'page');

/** For a browser, or, `forNode`, as a module that exports what the entry does. */
export async function bundle(
  entry: string,
  { forNode = false } = {},
): Promise<{ script: string; style: string }> {
  const input = path.join(pageFolder, entry);
  const built = (await build({
    root: pageFolder,
    configFile: false,
    logLevel: 'silent',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    ssr: { noExternal: true },
    build: {
      write: false,
      target: 'es2023',
      modulePreload: false,
      ...(forNode && { ssr: input }),
      rolldownOptions: { input, output: { codeSplitting: false } },
    },
  })) as Rolldown.RolldownOutput;
  const chunks = built.output.flatMap((file) => (file.type === 'chunk' ? [file.code] : []));
  const styles = built.output.flatMap((file) =>
    file.type === 'asset' && file.fileName.endsWith('.css') ? [String(file.source)] : [],
  );
  return { script: chunks.join('\n').trim(), style: styles.join('\n').trim() };
}
