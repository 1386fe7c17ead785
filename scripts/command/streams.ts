/** stdout of a command, and what both streams have in common. What goes there is made printable here. */
import { lineBreak, plain, printableJson, shown } from './printable.ts';

/** A reader that goes away, like head, or a terminal that is closed, must not end the work half-way. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
}

/** One JSON object as a line on stdout. */
export function writeLine(line: Record<string, unknown>): void {
  const json = JSON.stringify(line, (_, value) => (typeof value === 'string' ? plain(value) : value));
  process.stdout.write(`${printableJson(json)}\n`);
}

/** Lines for people on stdout. */
export function writeText(...lines: readonly string[]): void {
  process.stdout.write(`${shown(lines.join(lineBreak))}\n`);
}
