/** The block of a document that a benchmark rewrites. */
import { readFile, writeFile } from 'node:fs/promises';

const begin = '<!-- results: written by npm run bench -- --markdown -->';
const end = '<!-- end of results -->';

/** Puts a text between the marks of a document; creates the document where there is none. */
export async function writeBlock(file: string, block: string): Promise<void> {
  const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return `${begin}\n${end}\n`;
    throw error;
  });
  const from = known.indexOf(begin);
  const to = known.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} has no lines "${begin}" and "${end}"`);
  await writeFile(file, `${known.slice(0, from + begin.length)}\n\n${block}\n\n${known.slice(to)}`);
}
