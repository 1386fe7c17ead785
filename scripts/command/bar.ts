/** The bar that commands show while they work. */
import { SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.ts';

/** A bar on the last line of the terminal, with the figures behind it. */
export function newBar(terminal: Terminal): SingleBar {
  return new SingleBar({
    stream: terminal.stream,
    format: '{bar} {figures}',
    formatBar: (share, options) => {
      const full = Math.round(share * 24);
      return `${terminal.paint.green((options.barCompleteString ?? '').slice(0, full))}${(options.barIncompleteString ?? '').slice(0, 24 - full)}`;
    },
    barCompleteChar: '█',
    barIncompleteChar: '░',
    fps: 8,
    forceRedraw: true,
    hideCursor: true,
    linewrap: false,
    clearOnComplete: true,
    // Ctrl-C is ours: the running batches are let end first.
    gracefulExit: false,
  });
}
